"""Tests and screenshots in the real Perfetto UI, in headless Chromium."""
