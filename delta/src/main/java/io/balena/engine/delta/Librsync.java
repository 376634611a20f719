package io.balena.engine.delta;

import java.io.IOException;
import java.io.InputStream;
import java.util.function.LongConsumer;

/// The delta format of librsync: a magic number and commands, all integers unsigned and big-endian.
///
/// ```
/// 72 73 02 36
/// 01..40              that many literal bytes follow
/// 41..44 N            N literal bytes follow, N in 1, 2, 4 or 8 bytes
/// 45..54 P N          copy N bytes from position P of the base: command 45 + 4p + n, where p and n are 0 to 3 for P and N in 1, 2,
///                     4 or 8 bytes
/// 00                  end
/// ```
/// `rdiff` copies only whole blocks of a signature that it was given. The format does not ask for that: what we write copies any bytes
/// from anywhere, and everything that reads the format applies it.
///
/// @see <a href="https://librsync.github.io/page_formats.html">librsync, file formats</a>
record Librsync() implements DeltaFormat {
    static final int MAGIC = 0x72730236;
    static final int END = 0;
    static final int LONGEST_IMMEDIATE = 0x40;
    static final int LITERAL = 0x41;
    static final int COPY = 0x45;
    static final int LAST_COPY = 0x54;

    @Override
    public InputStream patch(InputStream delta, Base base) throws IOException {
        return new LibrsyncPatch(delta, base);
    }

    @Override
    public DeltaMaker maker(Base base, LongConsumer progress) throws IOException {
        return LibrsyncMaker.of(base, progress);
    }
}
