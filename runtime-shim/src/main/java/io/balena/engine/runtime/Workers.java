package io.balena.engine.runtime;

import java.util.concurrent.Callable;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/// Does for the loop what may block: setting containers up and taking them down. Threads come and go with the work.
final class Workers {
    private static final int MOST_THREADS = 4;
    private static final int IDLE_SECONDS = 5;

    /// Takes over on the loop's thread.
    interface Outcome<T> {
        void succeeded(T result);

        void failed(Throwable cause);
    }

    private final EventLoop loop;
    private final ThreadPoolExecutor threads =
            new ThreadPoolExecutor(MOST_THREADS, MOST_THREADS, IDLE_SECONDS, TimeUnit.SECONDS, new LinkedBlockingQueue<>());
    private int underWay;

    Workers(EventLoop loop) {
        this.loop = loop;
        threads.allowCoreThreadTimeOut(true);
    }

    /// For the loop's thread.
    <T> void run(Callable<T> work, Outcome<T> outcome) {
        underWay++;
        threads.execute(() -> {
            T result;
            try {
                result = work.call();
            } catch (Throwable e) { // an Error too must not leave somebody without an answer
                loop.execute(() -> {
                    underWay--;
                    outcome.failed(e);
                });
                return;
            }
            loop.execute(() -> {
                underWay--;
                outcome.succeeded(result);
            });
        });
    }

    /// Nothing was begun that is not finished. For the loop's thread.
    boolean areIdle() {
        return underWay == 0;
    }

    void end() {
        threads.shutdown();
    }
}
