package io.balena.engine.daemon.container;

import io.balena.engine.linux.FixedFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;
import java.util.zip.CRC32C;

/// The states that containers went through, in one file that is written over in place: `<data root>/container-states`.
///
/// A start and an end are two states, and to replace a container's file for each would cost flash 64 KiB a time. Here it is the block
/// itself, and containers that start together share one fdatasync(2).
///
/// The file is two halves of slots. Each entry begins at a slot of its own, so that writing one never touches another that was
/// acknowledged, and carries a number and a checksum: an entry that a power cut has torn is none. Whoever writes into the half that
/// was written longest ago first has the states in it stored elsewhere ([#displaced]).
///
/// ```
/// magic 4 | bytes of the state 4 | number 8 | CRC-32C of what follows and of the number 4 | container id 32 | state
/// ```
/// Not safe for use by several threads, but for [#sync].
final class StateJournal implements AutoCloseable {
    static final int SLOT_BYTES = 4096;
    static final int SLOTS = 256;
    private static final int HALF = SLOTS / 2;
    private static final int MAGIC = 0x53744a31;
    private static final int ID_BYTES = 32;
    private static final int HEADER_BYTES = 20 + ID_BYTES;

    private final FixedFile file;
    /// The slot of each container's newest entry, while that is stored nowhere else.
    private final Map<ContainerId, Integer> needed = new HashMap<>();
    private final Map<ContainerId, Entry> found = new HashMap<>();
    private final Lock syncing = new ReentrantLock();
    private volatile long number;
    private volatile long synced;
    private int next;

    /// @param number grows with each entry of the journal
    record Entry(long number, byte[] state) {}

    private StateJournal(FixedFile file) {
        this.file = file;
    }

    /// Makes the file when there is none, or none of this size.
    static StateJournal open(Path path) throws IOException {
        FixedFile file = FixedFile.open(path, SLOTS * SLOT_BYTES);
        var journal = new StateJournal(file);
        try {
            journal.scan(ByteBuffer.wrap(file.read()));
            return journal;
        } catch (IOException e) {
            file.close();
            throw e;
        }
    }

    private void scan(ByteBuffer all) {
        for (int slot = 0; slot < SLOTS; ) {
            int taken = scanSlot(all.slice(slot * SLOT_BYTES, (SLOTS - slot) * SLOT_BYTES), slot);
            slot += Math.max(1, taken);
        }
    }

    /// @return how many slots the entry takes; 0 when none begins here
    private int scanSlot(ByteBuffer from, int slot) {
        if (from.getInt() != MAGIC) return 0;
        int length = from.getInt();
        if (length < 0 || length > from.capacity() - HEADER_BYTES) return 0;
        long entryNumber = from.getLong();
        int checksum = from.getInt();
        byte[] content = new byte[ID_BYTES + length];
        from.get(content);
        if (checksum != checksum(entryNumber, content)) return 0;
        var id = new ContainerId(HexFormat.of().formatHex(content, 0, ID_BYTES));
        int taken = slots(length);
        if (!found.containsKey(id) || found.get(id).number < entryNumber) {
            found.put(id, new Entry(entryNumber, Arrays.copyOfRange(content, ID_BYTES, content.length)));
            needed.put(id, slot);
        }
        if (entryNumber > number) {
            number = entryNumber;
            next = slot + taken;
        }
        return taken;
    }

    /// The newest entry of each container, as the file was found. Those that are of no use are to be forgotten.
    Map<ContainerId, Entry> found() {
        return Map.copyOf(found);
    }

    /// The number of the newest entry.
    long number() {
        return number;
    }

    /// From now on all numbers are greater.
    void startAfter(long least) {
        number = Math.max(number, least);
    }

    /// The containers whose newest state would be written over before long if a state of so many bytes was appended now. It must be
    /// stored elsewhere and forgotten first.
    ///
    /// @throws IOException when that is more than the journal can take
    List<ContainerId> displaced(int bytes) throws IOException {
        if (slots(bytes) > HALF) throw new IOException("a container's state of " + bytes + " bytes is too large for the journal");
        int start = place(bytes);
        if (start == next && start % HALF != 0) return List.of();
        return needed.entrySet().stream().filter(entry -> entry.getValue() / HALF == start / HALF).map(Map.Entry::getKey).toList();
    }

    /// Where an entry goes: behind the last one, or at the beginning of the other half.
    private int place(int bytes) {
        int free = HALF - next % HALF;
        if (next < SLOTS && slots(bytes) <= free) return next;
        return next < HALF ? HALF : 0;
    }

    /// Durable after [#sync].
    void append(ContainerId id, byte[] state) throws IOException {
        int slot = place(state.length);
        long given = number + 1;
        byte[] content = new byte[ID_BYTES + state.length];
        System.arraycopy(HexFormat.of().parseHex(id.hex()), 0, content, 0, ID_BYTES);
        System.arraycopy(state, 0, content, ID_BYTES, state.length);
        int taken = slots(state.length);
        var entry = ByteBuffer.allocate(taken * SLOT_BYTES);
        entry.putInt(MAGIC).putInt(state.length).putLong(given).putInt(checksum(given, content)).put(content);
        file.write((long) slot * SLOT_BYTES, entry.array());
        number = given;
        next = slot + taken;
        needed.put(id, slot);
    }

    /// Returns when all that was appended before is on the device. May be called by several threads at once: one of them works for those
    /// who come meanwhile.
    void sync() throws IOException {
        long wanted = number;
        syncing.lock();
        try {
            if (synced >= wanted) return;
            long written = number;
            file.sync();
            synced = written;
        } finally {
            syncing.unlock();
        }
    }

    /// Its state is stored elsewhere, or of no interest any more.
    void forget(ContainerId id) {
        needed.remove(id);
        found.remove(id);
    }

    private static int slots(int bytes) {
        return (HEADER_BYTES + bytes + SLOT_BYTES - 1) / SLOT_BYTES;
    }

    private static int checksum(long entryNumber, byte[] content) {
        var crc = new CRC32C();
        crc.update(ByteBuffer.allocate(Long.BYTES).putLong(0, entryNumber));
        crc.update(content);
        return (int) crc.getValue();
    }

    @Override
    public void close() {
        file.close();
    }
}
