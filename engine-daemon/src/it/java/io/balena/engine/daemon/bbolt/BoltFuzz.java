package io.balena.engine.daemon.bbolt;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/// Any bytes, as the pages of a bbolt file behind a sound meta page: keys and values, or `BoltFormatException`, and no more bytes
/// than the file has.
public final class BoltFuzz {
    private static final int PAGE = 1 << 10;
    private static final int ROOT_PAGE = 2;
    /// As it is named in the inputs that are kept.
    private static final byte[] NESTED = {'v'};
    private static final Path FILE = file();

    private BoltFuzz() {}

    private static Path file() {
        try {
            Path file = Files.createTempFile("bolt-fuzz-", ".db");
            file.toFile().deleteOnExit();
            return file;
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    public static void fuzzerTestOneInput(byte[] input) throws IOException {
        int pages = ROOT_PAGE + (input.length + PAGE - 1) / PAGE;
        ByteBuffer content = ByteBuffer.allocate(pages * PAGE).order(ByteOrder.LITTLE_ENDIAN);
        content.put(ROOT_PAGE * PAGE, input);
        for (int page = ROOT_PAGE; page < pages; page++) content.putLong(page * PAGE, page);
        putMeta(content);
        Files.write(FILE, content.array());
        try (BoltFile file = BoltFile.open(FILE)) {
            Optional<BoltBucket> nested = file.root().bucket(NESTED);
            long bytes = walk(file.root()) + (nested.isPresent() ? walk(nested.get()) : 0);
            if (bytes > 2L * content.capacity()) throw new IllegalStateException(bytes + " bytes out of a file of " + content.capacity());
        } catch (BoltFormatException e) {
            if (e.getMessage() == null) throw new IllegalStateException("an error without a message", e);
        }
    }

    private static long walk(BoltBucket bucket) throws IOException {
        long[] bytes = new long[1];
        bucket.forEach((key, value) -> bytes[0] += key.length + value.length);
        return bytes[0];
    }

    private static void putMeta(ByteBuffer file) {
        file.putInt(16, 0xED0CDAED).putInt(20, 2).putInt(24, PAGE).putLong(32, ROOT_PAGE).putLong(64, 1);
        long hash = 0xcbf29ce484222325L;
        for (int at = 16; at < 72; at++) hash = (hash ^ file.get(at) & 0xff) * 0x100000001b3L;
        file.putLong(72, hash);
    }
}
