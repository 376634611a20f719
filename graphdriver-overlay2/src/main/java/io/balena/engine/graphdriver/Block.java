package io.balena.engine.graphdriver;

import java.util.ArrayList;
import java.util.List;

/// A piece of a tar on its way through the stages of extraction, and what is to be done with it. Used again and again.
final class Block {
    static final int SIZE = 128 * 1024; // a multiple of 512, so that no header is cut

    final byte[] bytes;
    final List<Step> steps = new ArrayList<>();
    int length;

    Block() {
        this(SIZE);
    }

    Block(int size) {
        bytes = new byte[size];
    }

    void clear() {
        steps.clear();
        length = 0;
    }
}
