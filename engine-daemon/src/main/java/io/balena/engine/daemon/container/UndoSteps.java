package io.balena.engine.daemon.container;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.Deque;

/// What has been done so far, and how each step is undone. Goes on when one of them cannot be.
final class UndoSteps {
    private static final System.Logger LOG = System.getLogger(UndoSteps.class.getName());

    private final Deque<Step> done = new ArrayDeque<>();

    interface Step {
        void undo() throws IOException;
    }

    void push(Step step) {
        done.push(step);
    }

    /// The last one first.
    void undo(ContainerId of) {
        while (!done.isEmpty()) {
            try {
                done.pop().undo();
            } catch (IOException | RuntimeException e) {
                LOG.log(Level.WARNING, "Cleaning up after container {0}: {1}", of, e.getMessage());
            }
        }
    }
}
