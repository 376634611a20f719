package io.balena.engine.runtime.spec;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec.Hook;
import io.balena.engine.runtime.spec.RuntimeSpec.Hooks;
import io.balena.engine.runtime.spec.RuntimeSpec.Linux;
import io.balena.engine.runtime.spec.RuntimeSpec.Mount;
import io.balena.engine.runtime.spec.RuntimeSpec.Process;
import io.balena.engine.runtime.spec.RuntimeSpec.Resources;
import io.balena.engine.runtime.spec.RuntimeSpec.Root;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Reads a [RuntimeSpec] token by token.
///
/// Written by hand, since the shim is mostly interpreted, and reflection over these records would take longer than starting the
/// container.
public final class SpecReader {
    private final JsonFields in;

    private SpecReader(JsonFields in) {
        this.in = in;
    }

    /// @throws ContainerFailure when it is not JSON, or a field has another type than the specification's
    public static RuntimeSpec spec(byte[] json) throws ContainerFailure {
        try (var in = new JsonFields(json)) {
            return new SpecReader(in).spec();
        } catch (IOException e) {
            throw JsonFields.malformed("config.json", e);
        }
    }

    /// @throws ContainerFailure as for [#spec]
    public static Process process(byte[] json) throws ContainerFailure {
        try (var in = new JsonFields(json)) {
            return new ProcessReader(in).process();
        } catch (IOException e) {
            throw JsonFields.malformed("process", e);
        }
    }

    /// @throws ContainerFailure as for [#spec]
    public static Resources resources(byte[] json) throws ContainerFailure {
        try (var in = new JsonFields(json)) {
            return new ResourcesReader(in).resources();
        } catch (IOException e) {
            throw JsonFields.malformed("resources", e);
        }
    }

    private RuntimeSpec spec() throws IOException {
        String ociVersion = null;
        Process process = null;
        Root root = null;
        String hostname = null;
        String domainname = null;
        List<Mount> mounts = null;
        Hooks hooks = null;
        Map<String, String> annotations = null;
        Linux linux = null;
        in.beginObject();
        for (String field; (field = in.nextField()) != null; ) {
            switch (field) {
                case "ociVersion" -> ociVersion = in.text();
                case "process" -> process = new ProcessReader(in).process();
                case "root" -> root = root();
                case "hostname" -> hostname = in.text();
                case "domainname" -> domainname = in.text();
                case "mounts" -> {
                    mounts = new ArrayList<>();
                    for (in.beginArray(); in.nextElement(); ) mounts.add(mount());
                }
                case "hooks" -> hooks = hooks();
                case "annotations" -> annotations = in.textMap();
                case "linux" -> linux = new LinuxReader(in).linux();
                default -> in.skip();
            }
        }
        return new RuntimeSpec(ociVersion, process, root, hostname, domainname, mounts, hooks, annotations, linux);
    }

    private Root root() throws IOException {
        String path = null;
        boolean readonly = false;
        in.beginObject();
        for (String field; (field = in.nextField()) != null; ) {
            switch (field) {
                case "path" -> path = in.text();
                case "readonly" -> readonly = in.flag();
                default -> in.skip();
            }
        }
        return new Root(path, readonly);
    }

    private Mount mount() throws IOException {
        String destination = null;
        String type = null;
        String source = null;
        List<String> options = null;
        in.beginObject();
        for (String field; (field = in.nextField()) != null; ) {
            switch (field) {
                case "destination" -> destination = in.text();
                case "type" -> type = in.text();
                case "source" -> source = in.text();
                case "options" -> options = in.texts();
                default -> in.skip();
            }
        }
        return new Mount(destination, type, source, options);
    }

    private Hooks hooks() throws IOException {
        List<Hook> prestart = null;
        List<Hook> createRuntime = null;
        List<Hook> createContainer = null;
        List<Hook> startContainer = null;
        List<Hook> poststart = null;
        List<Hook> poststop = null;
        in.beginObject();
        for (String field; (field = in.nextField()) != null; ) {
            switch (field) {
                case "prestart" -> prestart = hookList();
                case "createRuntime" -> createRuntime = hookList();
                case "createContainer" -> createContainer = hookList();
                case "startContainer" -> startContainer = hookList();
                case "poststart" -> poststart = hookList();
                case "poststop" -> poststop = hookList();
                default -> in.skip();
            }
        }
        return new Hooks(prestart, createRuntime, createContainer, startContainer, poststart, poststop);
    }

    private List<Hook> hookList() throws IOException {
        List<Hook> hooks = new ArrayList<>();
        for (in.beginArray(); in.nextElement(); ) {
            String path = null;
            List<String> args = null;
            List<String> env = null;
            Integer timeout = null;
            in.beginObject();
            for (String field; (field = in.nextField()) != null; ) {
                switch (field) {
                    case "path" -> path = in.text();
                    case "args" -> args = in.texts();
                    case "env" -> env = in.texts();
                    case "timeout" -> timeout = in.integer();
                    default -> in.skip();
                }
            }
            hooks.add(new Hook(path, args, env, timeout));
        }
        return hooks;
    }
}
