"""Who waits for images keeps the lock that whoever brings the images needs
(https://github.com/facebookresearch/home-robot/pull/92).
truth: `driver` waited 1.5 s twice for the Lock that `MainThread` has, asleep in
`Camera.wait_for_images`."""

import threading
import time


class Camera:
    def __init__(self):
        self.lock = threading.Lock()
        self.images = []

    def on_image(self, image):
        with self.lock:
            self.images.append(image)

    def wait_for_images(self, count, timeout):
        deadline = time.monotonic() + timeout
        with self.lock:
            while len(self.images) < count:
                if time.monotonic() > deadline:
                    return None
                time.sleep(0.05)
            images, self.images = self.images, []
            return images


def driver(camera, stop):
    number = 0
    while not stop.is_set():
        time.sleep(0.03)
        camera.on_image(number)
        number += 1


def main():
    camera, stop = Camera(), threading.Event()
    thread = threading.Thread(target=driver, args=(camera, stop), name="driver")
    thread.start()
    time.sleep(0.2)
    print("warm up:", camera.wait_for_images(2, timeout=1))
    for _ in range(2):
        print("images:", camera.wait_for_images(4, timeout=1.5))
    stop.set()
    thread.join()


main()
