package io.balena.engine.distribution;

import java.util.List;

/// The layers of one pull, told as lines of their own and as the sum `Total` that the Supervisor draws its bar from.
///
/// Says no more than is worth drawing, see [Pace].
final class PullProgress {
    private final Progress progress;
    private final long total;
    private long done;
    private final Pace pace;

    PullProgress(Progress progress, List<Descriptor> missing) {
        this.progress = progress;
        this.total = missing.stream().mapToLong(Descriptor::size).sum();
        this.pace = new Pace(total);
    }

    LayerListener layer(Descriptor blob) {
        return new Line(blob);
    }

    private synchronized void advance(long bytes) {
        done += bytes;
        if (pace.isDue(done)) progress.advance("Total", "", done, total);
    }

    private final class Line implements LayerListener {
        private final String id;
        private final long size;
        private final Pace pace;
        private long current;

        Line(Descriptor blob) {
            this.id = blob.digest().shortHex();
            this.size = blob.size();
            this.pace = new Pace(size);
        }

        @Override
        public void waiting() {
            progress.status(id, "Waiting");
        }

        @Override
        public synchronized void extracting(long bytes) {
            long step = bytes - current;
            current = bytes;
            if (pace.isDue(bytes)) progress.advance(id, "Extracting", bytes, size);
            advance(step);
        }

        @Override
        public void retryingIn(int seconds) {
            progress.status(id, "Retrying in " + seconds + (seconds == 1 ? " second" : " seconds"));
        }

        @Override
        public synchronized void complete() {
            // A pull that joined late has not seen every byte pass.
            if (current < size) extracting(size);
            progress.status(id, "Pull complete");
        }
    }
}
