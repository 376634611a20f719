package io.balena.engine.runtime;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/// What number each architecture gives to each system call, from `syscalls.txt`.
final class SyscallNumbers {
    /// An architecture a filter can be written for.
    ///
    /// @see <a href="https://github.com/torvalds/linux/blob/master/include/uapi/linux/audit.h">linux/audit.h</a>
    enum Architecture {
        X86(0x40000003, 0, true),
        X86_64(0xC000003E, 1, false),
        /// Shares its audit number with x86-64; its system calls carry [#X32_BIT].
        X32(0xC000003E, 2, false),
        ARM(0x40000028, 3, true),
        AARCH64(0xC00000B7, 4, false);

        static final int X32_BIT = 0x40000000;

        final int audit;
        private final int column;
        final boolean is32Bit;

        Architecture(int audit, int column, boolean is32Bit) {
            this.audit = audit;
            this.column = column;
            this.is32Bit = is32Bit;
        }

        /// @param name e.g. `SCMP_ARCH_X86_64`
        /// @return null for one that no machine of ours has
        static Architecture of(String name) {
            return switch (name) {
                case "SCMP_ARCH_X86" -> X86;
                case "SCMP_ARCH_X86_64" -> X86_64;
                case "SCMP_ARCH_X32" -> X32;
                case "SCMP_ARCH_ARM" -> ARM;
                case "SCMP_ARCH_AARCH64" -> AARCH64;
                default -> null;
            };
        }

        static Architecture ofThisMachine() {
            return switch (System.getProperty("os.arch")) {
                case "aarch64" -> AARCH64;
                case "arm" -> ARM;
                default -> X86_64;
            };
        }
    }

    private static final int NONE = -1;

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
        int[] row = new int[Architecture.values().length];
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
        if (row == null || row[architecture.column] == NONE) return NONE;
        return architecture == Architecture.X32 ? row[architecture.column] | Architecture.X32_BIT : row[architecture.column];
    }
}
