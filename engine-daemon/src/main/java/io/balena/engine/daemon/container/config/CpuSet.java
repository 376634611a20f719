package io.balena.engine.daemon.container.config;

import java.util.BitSet;

/// Numbers of processors or memory nodes, written as the kernel does: `0-3,7`.
///
/// @see <a href="https://man7.org/linux/man-pages/man7/cpuset.7.html">cpuset(7), list format</a>
public record CpuSet(BitSet numbers) {
    /// The kernel's largest, and more than any list may make us allocate.
    private static final int MOST = 8192;

    /// @throws IllegalArgumentException in Docker's words
    public static CpuSet parse(String list) {
        var numbers = new BitSet();
        if (list.isEmpty()) return new CpuSet(numbers);
        for (String range : list.split(",", -1)) {
            int dash = range.indexOf('-');
            if (dash < 0) {
                numbers.set(number(range, list));
                continue;
            }
            int first = number(range.substring(0, dash), list);
            int last = number(range.substring(dash + 1), list);
            if (last < first) throw new IllegalArgumentException("invalid format: " + list);
            numbers.set(first, last + 1);
        }
        return new CpuSet(numbers);
    }

    private static int number(String text, String list) {
        if (text.isEmpty() || !text.chars().allMatch(c -> c >= '0' && c <= '9')) {
            throw new IllegalArgumentException("invalid format: " + list);
        }
        if (text.length() > 9 || Integer.parseInt(text) > MOST) {
            throw new IllegalArgumentException("value of out range, maximum is " + MOST);
        }
        return Integer.parseInt(text);
    }

    public boolean containsAll(CpuSet others) {
        var missing = (BitSet) others.numbers.clone();
        missing.andNot(numbers);
        return missing.isEmpty();
    }
}
