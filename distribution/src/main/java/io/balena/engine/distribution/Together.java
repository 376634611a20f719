package io.balena.engine.distribution;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;

/// Waits for all the transfers of one pull or push.
final class Together {
    private Together() {}

    /// Waits until all have succeeded, or one has failed.
    ///
    /// @throws InterruptedIOException when the calling thread is interrupted
    /// @throws IOException what the first one failed with
    static void await(List<? extends CompletableFuture<?>> transfers) throws IOException {
        CompletableFuture<Void> outcome = new CompletableFuture<>();
        List<CompletableFuture<?>> each = transfers.stream().<CompletableFuture<?>>map(transfer -> transfer.whenComplete((_, failure) -> {
            if (failure != null) outcome.completeExceptionally(failure);
        })).toList();
        CompletableFuture.allOf(each.toArray(CompletableFuture[]::new)).thenRun(() -> outcome.complete(null));
        try {
            outcome.get();
        } catch (InterruptedException e) {
            throw new InterruptedIOException("the client has left");
        } catch (ExecutionException e) {
            throw Undisturbed.rethrown(e.getCause());
        }
    }
}
