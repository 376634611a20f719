package io.balena.engine.distribution;

import io.balena.engine.linux.IsalInflater;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/// Undoes raw deflate: one stream after the other, each in pieces as they come.
interface RawInflater extends AutoCloseable {
    /// The most bytes that [#remaining] may say beyond those of the last [#setInput].
    int READ_AHEAD = IsalInflater.READ_AHEAD;

    /// The system's quickest.
    static RawInflater open() {
        return IsalInflater.isAvailable() ? new Isal() : new Zlib();
    }

    /// At most 64 KiB, which may be changed only after all of it was used.
    void setInput(byte[] bytes, int from, int to);

    /// @return bytes produced; 0 when it has finished or needs input
    /// @throws DataFormatException when this is not deflate
    int inflate(byte[] to, int offset, int length) throws DataFormatException;

    boolean finished();

    /// When finished: how many of the bytes given, the last ones, belong to what follows.
    int remaining();

    /// Makes ready for the next stream.
    void reset();

    @Override
    void close();

    /// The JDK's.
    final class Zlib implements RawInflater {
        private final Inflater inflater = new Inflater(true);

        @Override
        public void setInput(byte[] bytes, int from, int to) {
            inflater.setInput(bytes, from, to - from);
        }

        @Override
        public int inflate(byte[] to, int offset, int length) throws DataFormatException {
            int produced = inflater.inflate(to, offset, length);
            if (inflater.needsDictionary()) throw new DataFormatException("a preset dictionary");
            return produced;
        }

        @Override
        public boolean finished() {
            return inflater.finished();
        }

        @Override
        public int remaining() {
            return inflater.getRemaining();
        }

        @Override
        public void reset() {
            inflater.reset();
        }

        @Override
        public void close() {
            inflater.end();
        }
    }

    /// Intel's, where it is installed.
    final class Isal implements RawInflater {
        private final IsalInflater inflater = new IsalInflater();

        @Override
        public void setInput(byte[] bytes, int from, int to) {
            inflater.setInput(bytes, from, to);
        }

        @Override
        public int inflate(byte[] to, int offset, int length) throws DataFormatException {
            return inflater.inflate(to, offset, length);
        }

        @Override
        public boolean finished() {
            return inflater.finished();
        }

        @Override
        public int remaining() {
            return inflater.remaining();
        }

        @Override
        public void reset() {
            inflater.reset();
        }

        @Override
        public void close() {
            inflater.close();
        }
    }
}
