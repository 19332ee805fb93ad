"""The largest of some numbers, in code that compiles in a second: numpy's partition and sorts take numba ten."""

from numba import njit


@njit(cache=True)
def kth_largest(values, k):
    """Return the k-th largest of some numbers, k from 1 on, by quickselect (Hoare 1961) on a copy."""
    rest = values.copy()
    low, high, place = 0, len(rest) - 1, len(rest) - k
    while low < high:
        pivot, i, j = rest[(low + high) // 2], low, high
        while i <= j:
            while rest[i] < pivot:
                i += 1
            while rest[j] > pivot:
                j -= 1
            if i <= j:
                rest[i], rest[j] = rest[j], rest[i]
                i += 1
                j -= 1
        if place <= j:
            high = j
        elif place >= i:
            low = i
        else:
            break
    return rest[place]


@njit(cache=True)
def sort_falling(values, codes, n):
    """Sort the first `n` values in falling order and their codes along, equal ones by code, in place (Shell 1959)."""
    gap = n // 2
    while gap > 0:
        for start in range(gap, n):
            value, code, place = values[start], codes[start], start
            while place >= gap:
                other, before = values[place - gap], codes[place - gap]
                if other > value or (other == value and before < code):
                    break
                values[place], codes[place] = other, before
                place -= gap
            values[place], codes[place] = value, code
        gap //= 2
