"""The same as examples/log_analyser.par: the same parts of the file, in a pool of as many processes."""
import csv
import json
import multiprocessing
import os
import re
import sys

LINE = re.compile(r"(?m)^\S+ (\w+) web\[\d+\] (\{.*\})$")
CHUNK = 4 << 20


def parts(file):
    size = os.stat(file).st_size
    bounds = [0]
    with open(file, "rb") as f:
        while bounds[-1] < size:
            f.seek(min(bounds[-1] + CHUNK, size))
            f.readline()
            bounds.append(f.tell())
    return [(file, a, b) for a, b in zip(bounds, bounds[1:])]


def analyse(part):
    file, start, end = part
    with open(file, "rb") as f:
        f.seek(start)
        text = f.read(end - start).decode()
    routes = {}
    for level, data in LINE.findall(text):
        entry = json.loads(data)
        route = entry["method"] + " /" + entry["path"].split("/")[1]
        sums = routes.get(route)
        if sums is None:
            sums = routes[route] = [0, 0, 0.0, 0.0]
        sums[0] += 1
        if level == "ERROR":
            sums[1] += 1
        ms = entry["ms"]
        sums[2] += ms
        if ms > sums[3]:
            sums[3] = ms
    return routes


def main(file, out):
    total = {}
    with multiprocessing.Pool() as pool:
        for routes in pool.map(analyse, parts(file), chunksize=1):
            for route, (n, errors, ms, most) in routes.items():
                sums = total.setdefault(route, [0, 0, 0.0, 0.0])
                sums[0] += n
                sums[1] += errors
                sums[2] += ms
                sums[3] = max(sums[3], most)
    with open(out, "w", newline="") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(["route", "requests", "errors", "mean_ms", "max_ms"])
        for route, (n, errors, ms, most) in sorted(total.items()):
            writer.writerow([route, n, errors, round(ms / n, 3), most])


if __name__ == "__main__":
    main(*sys.argv[1:])
