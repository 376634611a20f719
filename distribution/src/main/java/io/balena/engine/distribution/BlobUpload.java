package io.balena.engine.distribution;

import java.io.IOException;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.IntConsumer;

/// One blob on its way to a registry, however often the connection breaks: it goes on from the byte that the registry has kept, or, where
/// that keeps none, from the start.
final class BlobUpload {
    private final RemoteBlobs blobs;
    private final RequestBody.Content content;
    private final RetryPolicy retries;
    private final IntConsumer countdown;
    private final String thread;

    private Optional<UploadSession> session;
    /// Something was sent, and nobody knows how far it came.
    private boolean broken;
    private long kept;
    /// All of it has been sent, but the registry has not said that it is there.
    private Optional<RequestBody.Sent> unconfirmed = Optional.empty();
    private int failuresWithoutProgress;

    /// @param content the same each time it is asked for
    /// @param session that the registry has begun; empty to begin one
    /// @param countdown told the seconds left of each wait, once a second
    /// @param thread name of the one that makes the content
    BlobUpload(RemoteBlobs blobs, RequestBody.Content content, Optional<UploadSession> session, RetryPolicy retries,
            IntConsumer countdown, String thread) {
        this.blobs = blobs;
        this.content = content;
        this.session = session;
        this.retries = retries;
        this.countdown = countdown;
        this.thread = thread;
    }

    /// Sends it.
    ///
    /// @throws UnreadableContent when the content is at fault, not the network
    RequestBody.Sent send() throws IOException {
        while (true) {
            try {
                return attempt();
            } catch (UnreadableContent e) {
                throw e;
            } catch (IOException e) {
                recover(e);
            }
        }
    }

    private RequestBody.Sent attempt() throws IOException {
        if (unconfirmed.isPresent() && arrived(unconfirmed.get())) return unconfirmed.get();
        if (session.isPresent() && broken) goOn(session.get());
        if (session.isEmpty()) beginAnew();
        boolean complete = unconfirmed.isPresent() && unconfirmed.get().size() == kept;
        if (!complete) unconfirmed = Optional.of(append(session.get()));
        session.get().complete(unconfirmed.get().digest());
        return unconfirmed.get();
    }

    private void beginAnew() throws IOException {
        kept = 0;
        unconfirmed = Optional.empty();
        session = Optional.of(blobs.begin());
    }

    /// Perhaps only the answer was lost.
    private boolean arrived(RequestBody.Sent sent) throws IOException {
        return blobs.sizeOf(sent.digest()).equals(OptionalLong.of(sent.size()));
    }

    private void goOn(UploadSession interrupted) throws IOException {
        long received = interrupted.received();
        if (received > kept) failuresWithoutProgress = 0;
        kept = received;
        if (kept == 0) session = Optional.empty();
    }

    private RequestBody.Sent append(UploadSession to) throws IOException {
        broken = true;
        try (RequestBody body = new RequestBody(content, kept, thread)) {
            try {
                to.append(body);
            } catch (IOException e) {
                if (body.contentFailure() != null) throw new UnreadableContent(body.contentFailure());
                throw e;
            }
            RequestBody.Sent sent = body.sent();
            if (sent.size() >= kept) return sent;
            String claim = "the registry claims to have received " + kept + " bytes of a blob of " + sent.size();
            throw new DistributionException.Unavailable(claim, null);
        }
    }

    private void recover(IOException e) throws IOException {
        blobs.cancellation().check();
        // A registry that refuses to go on may well begin anew.
        boolean refusedToGoOn = kept > 0 && e instanceof RegistryFailure answered && !answered.passing();
        if (refusedToGoOn) session = Optional.empty();
        boolean last = ++failuresWithoutProgress >= retries.attempts();
        if (last || !refusedToGoOn && !RetryPolicy.worthRetrying(e)) throw RetryPolicy.givingUp(e);
        retries.pause(e, failuresWithoutProgress, blobs.cancellation(), countdown);
    }

    /// What was to be sent could not be read.
    static final class UnreadableContent extends IOException {
        private static final long serialVersionUID = 1L;

        UnreadableContent(IOException cause) {
            super(cause.getMessage(), cause);
        }
    }
}
