package io.balena.engine.linux;

import static java.nio.charset.StandardCharsets.US_ASCII;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.zip.DataFormatException;

/// Undoes raw deflate with Intel's ISA-L, three times as fast as zlib does it, on systems that have `libisal.so.2` (Debian's
/// libisal2, for amd64 and arm64).
///
/// Of the library's state only the beginning is public by its name; this is all that is touched of it:
///
/// ```
/// 0 next_out   8 avail_out(4)   12 total_out(4)   16 next_in   24 read_in   32 avail_in(4)   36 read_in_length(4), in bits
/// 21160 block_state(4)
/// ```
/// The last place depends on the size of the library's tables, so a small stream is inflated first, and a library that does
/// otherwise than expected is left alone.
///
/// @see <a href="https://github.com/intel/isa-l/blob/v2.30.0/include/igzip_lib.h">igzip_lib.h</a>
public final class IsalInflater implements AutoCloseable {
    /// The most bytes of input that the library may have taken ahead of what it needed, and gives back at the end.
    public static final int READ_AHEAD = 8;

    private static final int INPUT = 64 * 1024;
    private static final int OUTPUT = 128 * 1024;
    /// 87368 bytes in version 2.30; more in case another one needs more.
    private static final int STATE = 128 * 1024;
    private static final int NEXT_OUT = 0;
    private static final int AVAILABLE_OUT = 8;
    private static final int NEXT_IN = 16;
    private static final int AVAILABLE_IN = 32;
    private static final int READ_IN_BITS = 36;
    private static final int BLOCK_STATE = 21160;
    private static final int FINISHED = 5;

    // Freed by a cleaner should nobody close this.
    private final Memory state = new Memory(STATE);
    private final Memory input = new Memory(INPUT);
    private final Memory output = new Memory(OUTPUT);

    public IsalInflater() {
        reset();
    }

    /// Whether this system has the library, and it is one we know how to use. Switched off by `-Dbalena.engine.isal=false`.
    public static boolean isAvailable() {
        return Availability.KNOWN_TO_WORK;
    }

    /// Makes ready for the next stream.
    public void reset() {
        Isal.isal_inflate_init(state);
        state.setInt(AVAILABLE_IN, 0);
    }

    /// Takes the next bytes, at most 64 KiB, after all earlier ones were used.
    public void setInput(byte[] bytes, int from, int to) {
        if (to - from > INPUT) throw new IllegalArgumentException("more than " + INPUT + " bytes at once: " + (to - from));
        input.write(0, bytes, from, to - from);
        state.setPointer(NEXT_IN, input);
        state.setInt(AVAILABLE_IN, to - from);
    }

    /// @return bytes produced; 0 when it has finished or needs input
    /// @throws DataFormatException when this is not deflate
    public int inflate(byte[] to, int offset, int length) throws DataFormatException {
        int room = Math.min(length, OUTPUT);
        state.setPointer(NEXT_OUT, output);
        state.setInt(AVAILABLE_OUT, room);
        int result = Isal.isal_inflate(state);
        if (result < 0) throw new DataFormatException("ISA-L error " + result);
        int produced = room - state.getInt(AVAILABLE_OUT);
        output.read(0, to, offset, produced);
        return produced;
    }

    public boolean finished() {
        return state.getInt(BLOCK_STATE) == FINISHED;
    }

    /// When finished: how many of the bytes given, the last ones, are not part of the stream. Up to [#READ_AHEAD] of them may have
    /// been given before the last [#setInput].
    public int remaining() {
        return state.getInt(AVAILABLE_IN) + state.getInt(READ_IN_BITS) / 8;
    }

    @Override
    public void close() {
        state.close();
        input.close();
        output.close();
    }

    private static final class Isal {
        static {
            Native.register(Isal.class, "libisal.so.2");
        }

        /// `void isal_inflate_init(struct inflate_state *state)`
        static native void isal_inflate_init(Pointer state);

        /// `int isal_inflate(struct inflate_state *state)`
        static native int isal_inflate(Pointer state);
    }

    private static final class Availability {
        private static final byte[] DEFLATED = HexFormat.of().parseHex("cbcc4bcb492c49d551c884301412f35210ecf4c4cc3c00");
        private static final String TEXT = "inflate, inflate and inflate again";
        static final boolean KNOWN_TO_WORK =
                Native.POINTER_SIZE == 8 && !"false".equals(System.getProperty("balena.engine.isal")) && works();

        /// Asks for what we know, in two pieces, with two bytes behind it.
        private static boolean works() {
            try (var inflater = new IsalInflater()) {
                byte[] text = new byte[TEXT.length() + 1];
                byte[] given = Arrays.copyOf(DEFLATED, DEFLATED.length + 2);
                inflater.setInput(given, 0, 12);
                int first = inflater.inflate(text, 0, text.length);
                boolean early = inflater.finished();
                inflater.setInput(given, 12, given.length);
                int second = inflater.inflate(text, first, text.length - first);
                boolean right = first + second == TEXT.length() && new String(text, 0, TEXT.length(), US_ASCII).equals(TEXT);
                return right && !early && inflater.finished() && inflater.remaining() == 2;
            } catch (UnsatisfiedLinkError | DataFormatException e) {
                return false;
            }
        }
    }
}
