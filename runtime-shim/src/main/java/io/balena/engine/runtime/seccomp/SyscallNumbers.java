package io.balena.engine.runtime.seccomp;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/// What number each architecture gives to each system call, from `syscalls.txt`.
final class SyscallNumbers {
    private static final int NONE = -1;
    private static final int ARCHITECTURES = Architecture.values().length;

    private final Map<String, int[]> numbers = new HashMap<>(1024);

    static SyscallNumbers load() {
        var table = new SyscallNumbers();
        try (var in = SyscallNumbers.class.getResourceAsStream("syscalls.txt");
                var lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.US_ASCII))) {
            for (String line; (line = lines.readLine()) != null; ) {
                if (!line.startsWith("#")) table.add(line);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return table;
    }

    private void add(String line) {
        // The columns stand in the order of the architectures.
        int[] row = new int[ARCHITECTURES];
        int from = line.indexOf(' ');
        String name = line.substring(0, from);
        for (int i = 0; i < row.length; i++) {
            int to = line.indexOf(' ', from + 1);
            if (to < 0) to = line.length();
            row[i] = line.charAt(from + 1) == '-' ? NONE : Integer.parseInt(line, from + 1, to, 10);
            from = to;
        }
        numbers.put(name, row);
    }

    /// @return as it appears in `struct seccomp_data`; negative when the architecture has no such call, or it is unknown
    int of(String name, Architecture architecture) {
        int[] row = numbers.get(name);
        if (row == null || row[architecture.ordinal()] == NONE) return NONE;
        return architecture == Architecture.X32 ? row[architecture.ordinal()] | Architecture.X32_BIT : row[architecture.ordinal()];
    }
}
