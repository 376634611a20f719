package io.balena.engine.distribution;

import io.balena.engine.delta.DeltaFormat;
import io.balena.engine.graphdriver.TarMembers;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;

/// A layer of a delta image: a tar whose first member is the delta of the target's layer, whatever it is called.
final class DeltaLayer {
    private DeltaLayer() {}

    /// The tar of the target's layer.
    ///
    /// @param wrapper the tar that holds the delta, unpacked; read no further than the delta goes, and closed with the result
    static InputStream patched(InputStream wrapper, DeltaBase base) throws IOException {
        try {
            var members = new TarMembers(wrapper);
            if (members.next().isEmpty()) throw new CorruptStreamException("unexpected EOF, invalid delta tar archive");
            return DeltaFormat.LIBRSYNC.patch(new Content(members.content(), wrapper), base);
        } catch (Throwable t) {
            wrapper.close();
            throw t;
        }
    }

    private static final class Content extends FilterInputStream {
        private final InputStream wrapper;

        Content(InputStream content, InputStream wrapper) {
            super(content);
            this.wrapper = wrapper;
        }

        @Override
        public void close() throws IOException {
            wrapper.close();
        }
    }
}
