package io.balena.engine.daemon;

import io.balena.engine.daemon.http.*;
import io.balena.engine.daemon.system.*;
import java.util.*;
import java.nio.file.*;

public final class DaemonMain {
    private DaemonMain() {}
    public static void main(String[] args) throws Exception {
        ApiServer.bind(List.of(new Listener.Unix(Path.of(args[0]), Optional.empty()), new Listener.Tcp("127.0.0.1", 23898)), new SystemRoutes(false).table(), new ApiIdentity(EngineVersion.current().version(), false));
    }
}
