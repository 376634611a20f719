package io.balena.engine.graphdriver;

/// The names seen so far, by their 64-bit hashes: 16 bytes a name, where the names themselves would take ten times that.
///
/// Two names of one hash would be taken for the same; with a million names the chance is one in 30 million, and the harm an
/// error message.
final class NameSet {
    private long[] hashes = new long[1024]; // 0 is a free place
    private int size;

    /// @return false when `name` was there
    boolean add(byte[] name) {
        if (2 * size >= hashes.length) grow();
        if (!insert(hashes, hash(name))) return false;
        size++;
        return true;
    }

    private void grow() {
        long[] bigger = new long[2 * hashes.length];
        for (long hash : hashes) if (hash != 0) insert(bigger, hash);
        hashes = bigger;
    }

    private static boolean insert(long[] table, long hash) {
        int at = (int) hash & table.length - 1;
        while (table[at] != 0) {
            if (table[at] == hash) return false;
            at = at + 1 & table.length - 1;
        }
        table[at] = hash;
        return true;
    }

    /// FNV-1a, and the mixing of SplitMix64, as tables are indexed by the lower bits.
    private static long hash(byte[] name) {
        long hash = 0xcbf29ce484222325L;
        for (byte b : name) hash = (hash ^ b & 0xff) * 0x100000001b3L;
        hash = (hash ^ hash >>> 30) * 0xbf58476d1ce4e5b9L;
        hash = (hash ^ hash >>> 27) * 0x94d049bb133111ebL;
        hash ^= hash >>> 31;
        return hash == 0 ? 1 : hash;
    }
}
