package io.balena.engine.daemon.container;

import static io.balena.engine.daemon.http.Route.get;
import static io.balena.engine.daemon.http.Route.head;
import static io.balena.engine.daemon.http.Route.put;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.daemon.container.mount.MountPoint;
import io.balena.engine.daemon.http.Request;
import io.balena.engine.daemon.http.Response;
import io.balena.engine.daemon.http.Route;
import io.balena.engine.distribution.Compression;
import io.balena.engine.graphdriver.TreeArchive;
import java.io.IOException;
import java.io.InputStream;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// `docker cp`: files of containers as tars, out and in.
final class FileRoutes {
    private static final String STAT = "X-Docker-Container-Path-Stat";

    private final ContainerStore store;
    private final ContainerTrees trees;
    private final ContainerEvents events;

    FileRoutes(ContainerStore store, ContainerTrees trees, ContainerEvents events) {
        this.store = store;
        this.trees = trees;
        this.events = events;
    }

    List<Route> table() {
        return List.of(
                head("/containers/{id}/archive", this::stat),
                get("/containers/{id}/archive", this::read),
                put("/containers/{id}/archive", this::write));
    }

    private Response stat(Request request) throws IOException {
        PathInContainer path = path(request);
        try (ContainerTree tree = open(container(request), request)) {
            return new Response.WithHeaders(Map.of(STAT, tree.stat(path).header()), new Response.Empty(200));
        }
    }

    private Response read(Request request) throws IOException {
        PathInContainer path = path(request);
        Container container = container(request);
        ContainerTree tree = open(container, request);
        try {
            String stat = tree.stat(path).header();
            InputStream tar = tree.read(path);
            events.publish(container.record(), "archive-path");
            return new Response.WithHeaders(Map.of(STAT, stat), new Response.Stream(200, "application/x-tar", body -> {
                try (tree; tar) {
                    tar.transferTo(body);
                }
            }));
        } catch (IOException | RuntimeException e) {
            tree.close();
            throw e;
        }
    }

    private Response write(Request request) throws IOException {
        PathInContainer path = path(request);
        Container container = container(request);
        try (ContainerTree tree = open(container, request)) {
            String folder = tree.folder(path);
            requireWritable(container.record(), folder);
            extract(request.body(), tree, folder, new TreeArchive.Rules(request.flag("noOverwriteDirNonDir"), owner(request, container, tree)));
            events.publish(container.record(), "extract-to-dir");
            return new Response.Empty(200);
        }
    }

    private static void extract(InputStream body, ContainerTree tree, String folder, TreeArchive.Rules rules) throws IOException {
        try (InputStream tar = Compression.decompress(body)) {
            tree.write(tar, folder, rules);
        } catch (IOException e) {
            // Docker extracts in a process of its own, and says how that ended.
            throw new SystemFailure("Error processing tar file(exit status 1): " + e.getMessage(), e);
        }
    }

    /// The container's own user, when it has one and the client wants its files to be his.
    private static Optional<TreeArchive.Owner> owner(Request request, Container container, ContainerTree tree) throws IOException {
        String user = container.record().config().user();
        return request.flag("copyUIDGID") && !user.isEmpty() ? Optional.of(tree.owner(user)) : Optional.empty();
    }

    /// The kernel would say so, too, in other words.
    private static void requireWritable(ContainerRecord record, String folder) {
        Optional<MountPoint> on = record.mounts().stream().filter(mount -> (folder + "/").startsWith(mount.destination() + "/"))
                .max(Comparator.comparingInt(mount -> mount.destination().length()));
        if (on.isPresent() && !on.get().writable()) throw new SystemFailure("mounted volume is marked read-only", null);
        if (on.isEmpty() && record.host().readonlyRootfs()) throw new SystemFailure("container rootfs is marked read-only", null);
    }

    private Container container(Request request) {
        return store.find(request.path("id"));
    }

    private ContainerTree open(Container container, Request request) throws IOException {
        return trees.open(container, request.path("id"));
    }

    private static PathInContainer path(Request request) {
        return PathInContainer.of(request.query("path").orElseThrow(() -> new InvalidRequest("bad parameter: pathcannot be empty")));
    }
}
