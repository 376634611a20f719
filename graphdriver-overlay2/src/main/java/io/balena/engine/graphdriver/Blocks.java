package io.balena.engine.graphdriver;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.List;

/// Lends blocks to the extractions under way. They are kept from layer to layer and given up with the last one, so that a pull does
/// not leave megabytes of them in the old generation of the heap, one layer after the other.
final class Blocks {
    private final Deque<Block> idle = new ArrayDeque<>();
    private int extractions;

    synchronized List<Block> borrow(int count) {
        extractions++;
        var lent = new ArrayList<Block>(count);
        for (int i = 0; i < count; i++) lent.add(idle.isEmpty() ? new Block() : idle.remove());
        return lent;
    }

    /// Takes back what [#borrow] gave, when nobody uses it any more.
    synchronized void giveBack(Collection<Block> lent) {
        extractions--;
        if (extractions == 0) {
            idle.clear();
            return;
        }
        lent.forEach(Block::clear);
        idle.addAll(lent);
    }
}
