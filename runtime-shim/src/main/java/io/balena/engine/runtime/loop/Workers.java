package io.balena.engine.runtime.loop;

import java.util.concurrent.Callable;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/// Does for the loop what may block: setting containers up and taking them down. Threads come and go with the work.
public final class Workers {
    private static final int MOST_THREADS = 4;
    private static final int IDLE_SECONDS = 5;

    /// Takes over on the loop's thread.
    public interface Outcome<T> {
        void succeeded(T result);

        void failed(Throwable cause);
    }

    private final EventLoop loop;
    private final ThreadPoolExecutor threads =
            new ThreadPoolExecutor(MOST_THREADS, MOST_THREADS, IDLE_SECONDS, TimeUnit.SECONDS, new LinkedBlockingQueue<>());
    private int underWay;
    private Runnable whenIdle = () -> {};

    public Workers(EventLoop loop) {
        this.loop = loop;
        threads.allowCoreThreadTimeOut(true);
    }

    /// @param task run on the loop's thread whenever everything that was begun has been finished
    public void whenIdle(Runnable task) {
        whenIdle = task;
    }

    /// For the loop's thread.
    public <T> void run(Callable<T> work, Outcome<T> outcome) {
        underWay++;
        threads.execute(() -> {
            T result;
            try {
                result = work.call();
            } catch (Throwable e) { // an Error too must not leave somebody without an answer
                loop.execute(() -> finished(() -> outcome.failed(e)));
                return;
            }
            loop.execute(() -> finished(() -> outcome.succeeded(result)));
        });
    }

    private void finished(Runnable outcome) {
        underWay--;
        outcome.run();
        if (underWay == 0) whenIdle.run();
    }

    /// Nothing was begun that is not finished. For the loop's thread.
    public boolean areIdle() {
        return underWay == 0;
    }

    public void end() {
        threads.shutdown();
    }
}
