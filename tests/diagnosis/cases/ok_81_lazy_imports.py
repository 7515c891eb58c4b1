"""HEALTHY: threads import what they need when they begin; the modules are quick."""
import threading


def parse():
    import colorsys
    import csv
    import html.parser
    import xml.etree.ElementTree

    return csv, html.parser, colorsys, xml.etree.ElementTree


threads = [threading.Thread(target=parse) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
