package io.balena.engine.clients;

import java.util.Objects;

/// What a program expects, and ends with a failure when it is otherwise.
final class Check {
    private Check() {}

    static void same(Object expected, Object actual) {
        if (!Objects.equals(expected, actual)) throw new AssertionError("expected " + expected + ", but it is " + actual);
    }

    static void that(boolean holds, Object otherwise) {
        if (!holds) throw new AssertionError(otherwise);
    }
}
