// Made the profiles beside it: go run main.go (1.19).
package main

import (
	"context"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"time"
)

var kept [][]byte

func build() int {
	n := 0
	for i := 0; i < 3000; i++ {
		n += len(strings.Repeat("x", i))
	}
	return n
}

func keep() { kept = append(kept, make([]byte, 1<<20)) }

func burn() {
	until := time.Now().Add(1500 * time.Millisecond)
	for time.Now().Before(until) {
		build()
	}
}

func main() {
	runtime.SetMutexProfileFraction(1)
	runtime.SetBlockProfileRate(1)
	f, _ := os.Create("cpu.pprof")
	pprof.StartCPUProfile(f)
	pprof.Do(context.Background(), pprof.Labels("task", "builder"), func(context.Context) { burn() })
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := 0; i < 4; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := 0; j < 5; j++ {
				mu.Lock()
				time.Sleep(time.Millisecond)
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	pprof.StopCPUProfile()
	f.Close()
	for i := 0; i < 20; i++ {
		keep()
	}
	runtime.GC()
	for _, name := range []string{"heap", "mutex", "block", "goroutine", "allocs", "threadcreate"} {
		f, _ := os.Create(name + ".pprof")
		pprof.Lookup(name).WriteTo(f, 0)
		f.Close()
	}
}
