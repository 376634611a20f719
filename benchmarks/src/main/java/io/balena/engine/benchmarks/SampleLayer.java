package io.balena.engine.benchmarks;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;

import static java.nio.charset.StandardCharsets.US_ASCII;

/// A layer made for a measurement: the same bytes each time, compressible about as much as programs and texts are.
public enum SampleLayer {
    /// As many as an npm tree has.
    MANY_SMALL_FILES(20_000, 3_000),
    FEW_BIG_FILES(8, 12_000_000);

    private final int files;
    private final int bytesEach;

    SampleLayer(int files, int bytesEach) {
        this.files = files;
        this.bytesEach = bytesEach;
    }

    Path write(Path folder, String compression) throws IOException, InterruptedException {
        var tar = folder.resolve(name() + ".tar");
        if (!Files.exists(tar)) {
            try (var out = new BufferedOutputStream(Files.newOutputStream(tar), 1 << 20)) {
                write(out);
            }
        }
        var compressed = folder.resolve(name() + ".tar." + compression);
        var program = compression.equals("gz") ? new String[] {"gzip", "-6", "-c"} : new String[] {"zstd", "-q", "-3", "-c"};
        var process = new ProcessBuilder(program).redirectInput(tar.toFile()).redirectOutput(compressed.toFile());
        if (process.start().waitFor() != 0) throw new IOException(program[0] + " failed");
        return compressed;
    }

    private void write(OutputStream out) throws IOException {
        var random = new Random(files);
        var words = new byte[4000][];
        for (int i = 0; i < words.length; i++) {
            words[i] = Long.toString(Math.abs(random.nextLong()), 36).substring(0, 3 + random.nextInt(6)).getBytes(US_ASCII);
        }
        var content = new byte[bytesEach];
        for (int i = 0; i < files; i++) {
            if (i % 50 == 0) out.write(header("dir" + i / 50 + "/", '5', 0, 0755));
            for (int at = 0; at < content.length; ) {
                var word = words[random.nextInt(words.length)];
                for (int k = 0; k < word.length && at < content.length; k++) content[at++] = word[k];
                if (at < content.length) content[at++] = (byte) (random.nextInt(8) == 0 ? random.nextInt(256) : ' ');
            }
            out.write(header("dir" + i / 50 + "/file" + i, '0', content.length, 0644));
            out.write(content);
            out.write(new byte[(512 - content.length % 512) % 512]);
        }
        out.write(new byte[1024]);
    }

    /// One ustar header.
    private static byte[] header(String name, char type, int size, int mode) {
        var header = new byte[512];
        put(header, 0, name);
        put(header, 100, "%07o".formatted(mode));
        put(header, 108, "0000000");
        put(header, 116, "0000000");
        put(header, 124, "%011o".formatted(size));
        put(header, 136, "%011o".formatted(1_700_000_000));
        put(header, 148, "        ");
        header[156] = (byte) type;
        put(header, 257, "ustar\0" + "00");
        int sum = 0;
        for (byte b : header) sum += b & 0xff;
        put(header, 148, "%06o\0 ".formatted(sum));
        return header;
    }

    private static void put(byte[] header, int at, String text) {
        var bytes = text.getBytes(US_ASCII);
        System.arraycopy(bytes, 0, header, at, bytes.length);
    }
}
