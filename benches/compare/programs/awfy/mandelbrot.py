import time


def mandelbrot(size):
    total, byte, bits = 0, 0, 0
    for y in range(size):
        ci = 2.0 * y / size - 1.0
        for x in range(size):
            cr = 2.0 * x / size - 1.5
            zrzr = zi = zizi = 0.0
            escape = 0
            for _ in range(50):
                zr = zrzr - zizi + cr
                zi = 2.0 * zr * zi + ci
                zrzr = zr * zr
                zizi = zi * zi
                if zrzr + zizi > 4.0:
                    escape = 1
                    break
            byte = (byte << 1) + escape
            bits += 1
            if bits == 8 or x == size - 1:
                total ^= byte << (8 - bits)
                byte, bits = 0, 0
    return total


start = time.perf_counter()
assert mandelbrot(500) == 191
print((time.perf_counter() - start) * 1000)
