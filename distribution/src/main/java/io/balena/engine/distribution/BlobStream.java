package io.balena.engine.distribution;

import io.balena.engine.graphdriver.Digest;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.security.MessageDigest;

/// A blob of a registry as one stream, however often the connection breaks: it goes on from the byte it had reached.
///
/// Hashes what passes through. Bytes are trusted only after [#verify()].
final class BlobStream extends InputStream {
    /// Hears how it goes. Called by the reading thread.
    interface Watcher {
        Watcher NOBODY = new Watcher() {
            @Override
            public void reached(long bytes) {}

            @Override
            public void retryingIn(int seconds) {}
        };

        /// @param bytes fetched so far
        void reached(long bytes);

        void retryingIn(int seconds);
    }

    private final Repository repository;
    private final Descriptor descriptor;
    private final RetryPolicy retries;
    private final Cancellation cancellation;
    private final Watcher watcher;
    private final MessageDigest running = Digest.sha256();

    private ResponseBody body;
    private long offset;
    private int failuresWithoutProgress;
    private boolean ended;
    private volatile Exception failure;

    BlobStream(Repository repository, Descriptor descriptor, RetryPolicy retries, Cancellation cancellation, Watcher watcher) {
        this.repository = repository;
        this.descriptor = descriptor;
        this.retries = retries;
        this.cancellation = cancellation;
        this.watcher = watcher;
    }

    /// What ended this stream early, if anything did: whoever reads it may have wrapped that.
    Exception failure() {
        return failure;
    }

    /// Reads to the end, then compares.
    ///
    /// @throws DistributionException.InvalidContent when these are not the bytes that the manifest named
    void verify() throws IOException {
        transferTo(OutputStream.nullOutputStream());
        Digest actual = Digest.of(running);
        if (!actual.equals(descriptor.digest())) {
            throw new DistributionException.InvalidContent("filesystem layer verification failed for digest " + descriptor.digest(), null);
        }
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] buffer, int start, int length) throws IOException {
        if (length == 0) return 0;
        try {
            while (!ended) {
                int count = readOnce(buffer, start, length);
                if (count > 0) return count;
            }
            return -1;
        } catch (IOException | RuntimeException e) {
            failure = e;
            close();
            throw e;
        }
    }

    /// The inherited one would carry bytes past the hash.
    @Override
    public long skip(long count) throws IOException {
        return count <= 0 ? 0 : Math.max(0, read(new byte[(int) Math.min(count, 8192)]));
    }

    @Override
    public void close() {
        ended = true;
        disconnect();
    }

    /// @return bytes read; 0 when the stream has ended or the connection must be made anew
    private int readOnce(byte[] buffer, int start, int length) throws IOException {
        try {
            if (body == null) connect();
            int count = body.read(buffer, start, length);
            if (count > 0) {
                accept(buffer, start, count);
                return count;
            }
            if (offset < descriptor.size()) throw new IOException("unexpected EOF");
            ended = true;
            disconnect();
            return 0;
        } catch (IOException e) {
            recover(e);
            return 0;
        }
    }

    private void connect() throws IOException {
        cancellation.check();
        Repository.Blob blob = repository.blob(descriptor.digest(), offset, cancellation);
        body = blob.body();
        if (blob.size() >= 0 && blob.size() != descriptor.size()) {
            throw new DistributionException.InvalidContent("blob " + descriptor.digest() + " has " + blob.size()
                    + " bytes in the registry, but " + descriptor.size() + " in the manifest", null);
        }
        // A registry that cannot do ranges sends again what we have. Should it send something else, the digest will tell.
        body.skipNBytes(offset - blob.start());
    }

    private void accept(byte[] buffer, int start, int count) {
        running.update(buffer, start, count);
        offset += count;
        if (offset > descriptor.size()) {
            throw new DistributionException.InvalidContent(
                    "blob " + descriptor.digest() + " is longer than the " + descriptor.size() + " bytes of the manifest", null);
        }
        failuresWithoutProgress = 0;
        watcher.reached(offset);
    }

    private void recover(IOException e) throws IOException {
        disconnect();
        cancellation.check();
        boolean last = ++failuresWithoutProgress >= retries.attempts();
        if (last || !RetryPolicy.worthRetrying(e)) throw RetryPolicy.givingUp(e);
        retries.pause(e, failuresWithoutProgress, cancellation, watcher::retryingIn);
    }

    private void disconnect() {
        if (body != null) body.close();
        body = null;
    }
}
