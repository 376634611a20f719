package io.balena.engine.distribution;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

/// Who hears of one transfer. A listener that fails hears no more: its client has gone, and the others must not suffer for that.
final class Listeners<L extends TransferListener> {
    private static final Logger LOG = System.getLogger(Listeners.class.getName());

    private final List<L> listeners = new CopyOnWriteArrayList<>();

    void add(L listener) {
        listeners.add(listener);
    }

    void remove(L listener) {
        listeners.remove(listener);
    }

    void tell(Consumer<? super L> news) {
        for (L listener : listeners) {
            try {
                news.accept(listener);
            } catch (RuntimeException e) {
                listeners.remove(listener);
                LOG.log(Level.DEBUG, "a listener to a transfer failed", e);
            }
        }
    }
}
