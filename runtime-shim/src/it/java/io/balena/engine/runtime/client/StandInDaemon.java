package io.balena.engine.runtime.client;

import io.balena.engine.runtime.ProcessKey;
import io.balena.engine.runtime.Stdio;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Optional;

/// A daemon to be killed: starts a container and passes its output on.
final class StandInDaemon {
    private StandInDaemon() {}

    /// @param arguments exec root, container id, bundle, log
    public static void main(String[] arguments) throws Exception {
        Shim shim = Shim.connect(Path.of(arguments[0]), ShimFixture.command(), _ -> {});
        var log = Stdio.Log.jsonFile(Path.of(arguments[3]));
        shim.create(arguments[1], Path.of(arguments[2]), new Stdio(false, false, Optional.of(log)));
        AttachedStream stream = shim.attach(ProcessKey.container(arguments[1]), false, true, true);
        shim.start(arguments[1]);
        ByteBuffer piece = ByteBuffer.allocate(4096);
        while (stream.read(piece.clear()) >= 0) {
            System.out.write(piece.array(), 8, Math.max(0, piece.position() - 8));
            System.out.flush();
        }
    }
}
