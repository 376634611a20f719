package io.balena.engine.distribution;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.IntConsumer;
import javax.net.ssl.SSLHandshakeException;

/// When to try a transfer again: after a random time up to a bound that doubles ("full jitter"), so that a fleet of devices does not
/// come back to a registry all at once.
///
/// @param attempts failures in a row without progress that end it
/// @param first bound of the first wait
/// @param longest bound of all waits
record RetryPolicy(int attempts, Duration first, Duration longest) {
    /// Nobody may send us away for longer.
    private static final Duration LONGEST_ASKED = Duration.ofMinutes(5);

    interface Transfer<T> {
        T run() throws IOException;
    }

    static RetryPolicy of(int attempts) {
        return new RetryPolicy(attempts, Duration.ofSeconds(2), Duration.ofSeconds(60));
    }

    /// The same, but the first failure is the last: for where there is somebody else to ask.
    RetryPolicy once() {
        return new RetryPolicy(1, first, longest);
    }

    /// Whether trying again can help at all: not after a refusal, wrong content, or when the client has left.
    static boolean worthRetrying(IOException failure) {
        return switch (failure) {
            case RegistryFailure answered -> answered.passing();
            // A timeout of ours is an InterruptedIOException too, but a network fault.
            case SocketTimeoutException _ -> true;
            case InterruptedIOException _ -> false;
            case SSLHandshakeException _ -> false;
            case CorruptStreamException _ -> false;
            case UnreachableRegistry _ -> false;
            default -> true;
        };
    }

    /// What to throw when `failure` was the last: a registry's answer and an interruption as they are, a fault of the network under its
    /// own name, so that nobody takes it for a fault of the disk.
    static IOException givingUp(IOException failure) {
        if (failure instanceof RegistryFailure || failure instanceof InterruptedIOException) return failure;
        throw new DistributionException.Unavailable(failure.getMessage(), failure);
    }

    /// Runs `transfer` until it succeeds, fails for good, or has failed too often.
    <T> T retrying(Cancellation cancellation, Transfer<T> transfer) throws IOException {
        return retrying(cancellation, seconds -> {}, transfer);
    }

    /// @param countdown told the seconds left of each wait, once a second
    <T> T retrying(Cancellation cancellation, IntConsumer countdown, Transfer<T> transfer) throws IOException {
        for (int failures = 1; ; failures++) {
            try {
                return transfer.run();
            } catch (IOException e) {
                if (failures >= attempts || !worthRetrying(e)) throw givingUp(e);
                pause(e, failures, cancellation, countdown);
            }
        }
    }

    /// Waits before the next attempt: as long as a registry asks for, and a random time more, since it asks everybody for the same.
    ///
    /// @param failure the last one
    /// @param failures in a row, at least one
    /// @param countdown told the seconds left, once a second
    void pause(IOException failure, int failures, Cancellation cancellation, IntConsumer countdown) throws InterruptedIOException {
        long bound = Math.min(longest.toMillis(), first.toMillis() << Math.min(failures - 1, 20));
        long left = asked(failure).toMillis() + ThreadLocalRandom.current().nextLong(1, bound + 1);
        while (left > 0) {
            countdown.accept((int) ((left + 999) / 1000));
            long step = Math.min(left, 1000);
            cancellation.sleep(Duration.ofMillis(step));
            left -= step;
        }
    }

    private static Duration asked(IOException failure) {
        Duration asked = failure instanceof RegistryFailure answered ? answered.retryAfter().orElse(Duration.ZERO) : Duration.ZERO;
        return asked.compareTo(LONGEST_ASKED) < 0 ? asked : LONGEST_ASKED;
    }
}
