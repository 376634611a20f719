package io.balena.engine.packaging;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.graphdriver.ChainId;
import io.balena.engine.graphdriver.DiffId;
import io.balena.engine.graphdriver.Layer;
import io.balena.engine.graphdriver.LayerStore;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/// Whether an engine on a data root that saw a fault has everything it ever acknowledged, whole, and nothing else.
final class Verification {
    private final Engine engine;
    private final Journal journal;
    private final KnownImages images;
    private final List<String> problems = new ArrayList<>();
    private final Map<String, String> seen = new TreeMap<>();
    private final Map<String, List<DiffId>> layersByImage = new HashMap<>();
    private final Set<String> containers = new HashSet<>();
    private final Set<String> volumes = new HashSet<>();

    /// @param engine running
    Verification(Engine engine, Journal journal, KnownImages images) {
        this.engine = engine;
        this.journal = journal;
        this.images = images;
    }

    /// @param began when the fault may have happened at the earliest, and at the latest, by [System#nanoTime]
    /// @return what there is now, by the journal's names
    /// @throws AssertionError with everything that is wrong
    Map<String, String> check(long began, long ended) throws IOException {
        lookAtImages();
        lookAtContainers();
        compareWithJournal(began, ended);
        Set<String> layers = checkLayers();
        // Layers that a pull had finished are kept for the next one, until somebody prunes.
        var pruned = engine.api().post("/images/prune");
        boolean nothing = pruned.succeeded() && pruned.json().path("ImagesDeleted").isEmpty();
        if (!nothing) problems.add("images that were to be pruned: " + pruned.body());
        Set<String> ids = new HashSet<>();
        layersByImage.keySet().forEach(id -> ids.add(id.substring(7)));
        problems.addAll(new DataRoot(engine.data()).unaccounted(ids, layers, containers, volumes));
        failOnProblems();
        return seen;
    }

    private void lookAtImages() throws IOException {
        for (JsonNode image : engine.api().get("/images/json?all=1").json()) {
            String id = image.path("Id").asText();
            for (JsonNode tag : image.path("RepoTags")) if (!tag.asText().equals("<none>:<none>")) seen.put(tag.asText(), id);
            var inspected = engine.api().get("/images/" + id + "/json");
            if (!inspected.succeeded()) {
                problems.add("listed, but cannot be inspected: " + image + ": " + inspected.failure());
                continue;
            }
            List<DiffId> layers = new ArrayList<>();
            for (JsonNode diffId : inspected.json().path("RootFS").path("Layers")) layers.add(DiffId.parse(diffId.asText()));
            layersByImage.put(id, layers);
        }
    }

    private void lookAtContainers() throws IOException {
        for (JsonNode container : engine.api().get("/containers/json?all=1").json()) {
            String id = container.path("Id").asText();
            containers.add(id);
            // One that survived its engine may be about to end.
            Engine.become(Duration.ofSeconds(30), () -> !isRunning(id));
            var answer = engine.api().get("/containers/" + id + "/json");
            if (!answer.succeeded()) {
                problems.add("listed, but cannot be inspected: " + container + ": " + answer.failure());
                continue;
            }
            JsonNode inspected = answer.json();
            String name = inspected.path("Name").asText().substring(1);
            JsonNode state = inspected.path("State");
            String status = state.path("Status").asText();
            String phase = status.equals("exited") ? status + " " + state.path("ExitCode") : status;
            String other = seen.put(Workload.original(name), id + " " + name + " " + inspected.path("Image").asText() + " " + phase);
            if (other != null) problems.add("twice: " + other + " and " + seen.get(Workload.original(name)));
            for (JsonNode mount : inspected.path("Mounts")) checkVolume(mount);
        }
    }

    private void checkVolume(JsonNode mount) {
        volumes.add(mount.path("Name").asText());
        Path volume = Path.of(mount.path("Source").asText());
        describeDifference("volume " + volume, images.volume(), FileFacts.of(volume));
    }

    private boolean isRunning(String id) {
        try {
            return engine.api().get("/containers/" + id + "/json").json().path("State").path("Running").asBoolean();
        } catch (IOException e) {
            throw new AssertionError(engine.logTail(), e);
        }
    }

    private void compareWithJournal(long began, long ended) {
        Set<String> names = new HashSet<>(journal.names());
        names.addAll(seen.keySet());
        for (String name : names) {
            String found = seen.getOrDefault(name, Journal.State.ABSENT.text());
            var possible = journal.possible(name, began, ended);
            if (possible.stream().anyMatch(state -> state.allows(found))) continue;
            problems.add(name + " is " + found + ", and should be one of " + possible);
        }
    }

    /// @return the chains of all layers that images consist of
    private Set<String> checkLayers() {
        var root = new DataRoot(engine.data());
        Set<String> chains = new HashSet<>();
        layersByImage.forEach((id, layers) -> {
            Optional<ChainId> chain = Optional.empty();
            for (DiffId layer : layers) {
                chain = Optional.of(ChainId.of(chain, layer));
                String hex = chain.get().digest().hex();
                if (!chains.add(hex)) continue;
                Optional<Path> files = root.files(hex);
                Map<String, String> wanted = images.files(layer.toString());
                if (files.isEmpty()) problems.add("image " + id + " lacks its layer " + layer);
                else if (wanted != null) describeDifference("layer " + layer, wanted, below(files.get()));
            }
        });
        return chains;
    }

    private static Map<String, String> below(Path folder) {
        var facts = FileFacts.of(folder);
        facts.remove("");
        return facts;
    }

    private void describeDifference(String what, Map<String, String> wanted, Map<String, String> found) {
        if (wanted.equals(found)) return;
        Set<String> names = new HashSet<>(wanted.keySet());
        names.addAll(found.keySet());
        names.stream().filter(name -> !Objects.equals(wanted.get(name), found.get(name))).sorted().limit(5).forEach(name ->
                problems.add(what + ": " + name + " is " + found.get(name) + ", and should be " + wanted.get(name)));
    }

    /// A container that has been made can be started, and says so.
    ///
    /// @param id of one of the containers seen
    void checkThatItStarts(String id) throws IOException {
        var started = engine.api().post("/containers/" + id + "/start");
        if (!started.succeeded()) problems.add("container " + id + " does not start: " + started.failure());
        else {
            var ended = engine.api().post("/containers/" + id + "/wait").json().path("StatusCode").asInt(-1);
            if (ended != 0) problems.add("container " + id + " ends with " + ended);
        }
        failOnProblems();
    }

    /// Every layer gives back the tar it was made of, byte by byte. For a data root that no engine uses.
    static void checkTars(Path dataRoot) throws IOException {
        try (var store = LayerStore.open(dataRoot); var folders = Files.list(dataRoot.resolve("image/overlay2/layerdb/sha256"))) {
            for (Path folder : folders.toList()) {
                ChainId chain = ChainId.parse("sha256:" + folder.getFileName());
                Layer layer = store.find(chain).orElseThrow(() -> new AssertionError("not in the store: " + chain));
                try (var tar = store.openTar(chain)) {
                    String digest = "sha256:" + FileFacts.sha256(tar.readAllBytes());
                    boolean same = digest.equals(layer.diffId().toString());
                    if (!same) throw new AssertionError("the tar of layer " + layer + " has become " + digest);
                }
            }
        }
    }

    private void failOnProblems() {
        if (!problems.isEmpty()) throw new AssertionError(String.join("\n", problems) + "\nthe engine's log:\n" + engine.logTail());
    }
}
