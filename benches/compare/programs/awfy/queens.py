import time


class Queens:
    def __init__(self):
        self.free_rows = [True] * 8
        self.free_maxs = [True] * 16
        self.free_mins = [True] * 16
        self.rows = [-1] * 8

    def is_free(self, row, column):
        return self.free_rows[row] and self.free_maxs[column + row] and self.free_mins[column - row + 7]

    def mark(self, row, column, value):
        self.free_rows[row] = value
        self.free_maxs[column + row] = value
        self.free_mins[column - row + 7] = value

    def place(self, column):
        for row in range(8):
            if self.is_free(row, column):
                self.rows[row] = column
                self.mark(row, column, False)
                if column == 7 or self.place(column + 1):
                    return True
                self.mark(row, column, True)
        return False


start = time.perf_counter()
for _ in range(1000):
    assert Queens().place(0)
print((time.perf_counter() - start) * 1000)
