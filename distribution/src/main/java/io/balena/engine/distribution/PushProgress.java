package io.balena.engine.distribution;

import io.balena.engine.graphdriver.Layer;

/// A layer of one push, told as a line. Says no more than is worth drawing, see [Pace].
final class PushProgress implements UploadListener {
    private final Progress progress;
    private final String id;
    private final long size;
    private final Pace pace;

    PushProgress(Progress progress, Layer layer) {
        this.progress = progress;
        this.id = layer.diffId().digest().shortHex();
        this.size = layer.size();
        this.pace = new Pace(size);
    }

    void preparing() {
        progress.status(id, "Preparing");
    }

    @Override
    public void waiting() {
        progress.status(id, "Waiting");
    }

    @Override
    public synchronized void pushing(long bytes) {
        if (pace.isDue(bytes)) progress.advance(id, "Pushing", bytes, size);
    }

    @Override
    public void retryingIn(int seconds) {
        progress.status(id, "Retrying in " + seconds + (seconds == 1 ? " second" : " seconds"));
    }

    @Override
    public void complete(String how) {
        progress.status(id, how);
    }
}
