package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/// Every endpoint, asked rightly and wrongly in the oldest version, in Docker 20.10's and in newer ones: up to 1.41 our answers are
/// dockerd's, field by field.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class EndpointsIT {
    private static final List<String> SHARED = List.of("1.24", "1.41");
    private static final List<String> NEWER = List.of("1.44", "1.51");

    private SideBySide engines;

    @BeforeAll void start() {
        BusyboxImage.assumePossible();
        engines = SideBySide.start();
        BusyboxImage.importInto(engines.ours);
        BusyboxImage.importInto(engines.theirs);
    }

    @AfterAll void stop() {
        if (engines != null) engines.close();
    }

    @Test void containersAreMadeListedAndRemoved() throws IOException {
        agree("containers-are-made-listed-and-removed");
    }

    @Test void containersRunAndEnd() throws IOException {
        agree("containers-run-and-end");
    }

    @Test void furtherProgramsRun() throws IOException {
        agree("further-programs-run");
    }

    @Test void imagesAreListedNamedAndRemoved() throws IOException {
        agree("images-are-listed-named-and-removed");
    }

    @Test void volumesAreMadeAndRemoved() throws IOException {
        agree("volumes-are-made-and-removed");
    }

    @Test void networksAreMadeAndRemoved() throws IOException {
        agree("networks-are-made-and-removed");
    }

    @Test void archivesComeAndGo() throws IOException {
        agree("archives-come-and-go");
    }

    @Test void theEngineTellsOfItself() throws IOException {
        agree("the-engine-tells-of-itself");
    }

    @Test void swarmsArePolitelyDeclined() throws IOException {
        agree("swarms-are-politely-declined");
    }

    @Test void pluginsThereAreNone() throws IOException {
        agree("plugins-there-are-none");
    }

    /// In versions that dockerd speaks, our answers have its statuses, its words where something is wrong, and its fields; in newer
    /// ones, the statuses are the same still.
    private void agree(String script) throws IOException {
        var steps = ApiScript.read(script);
        var differences = new LinkedHashMap<String, List<String>>();
        for (String version : SHARED) {
            var theirs = steps.run(new Api(engines.theirs.socket(), version));
            var ours = steps.run(new Api(engines.ours.socket(), version));
            for (int i = 0; i < theirs.size(); i++) note(differences, version, difference(ours.get(i), theirs.get(i)));
        }
        for (String version : NEWER) {
            for (var answered : steps.run(new Api(engines.ours.socket(), version))) note(differences, version, unexpected("ours", answered));
        }
        assertEquals("", differences.entrySet().stream().map(each -> each.getValue() + " " + each.getKey()).collect(Collectors.joining()));
    }

    private static void note(Map<String, List<String>> differences, String version, String difference) {
        if (!difference.isEmpty()) differences.computeIfAbsent(difference, _ -> new ArrayList<>()).add(version);
    }

    private static String difference(ApiScript.Answered ours, ApiScript.Answered theirs) {
        String statuses = unexpected("dockerd", theirs) + unexpected("ours", ours);
        boolean answeredBetter = unexpected("ours", ours).isEmpty() && EndpointDifferences.STATUSES.contains(ours.step().line());
        if (!statuses.isEmpty()) return answeredBetter ? "" : statuses;
        if (ours.json().isEmpty() || theirs.json().isEmpty()) return "";
        boolean failure = ours.answer().status() >= 400;
        String found = failure ? words(ours.step(), ours.json().get(), theirs.json().get())
                : JsonDifference.of(Kinds.of(ours.json().get()), Kinds.of(theirs.json().get()), EndpointDifferences.FIELDS);
        return found.isEmpty() ? "" : ours.step().line() + "\n" + found.indent(4);
    }

    private static String words(ApiScript.Step step, JsonNode ours, JsonNode theirs) {
        if (EndpointDifferences.WORDS.contains(step.line())) return "";
        return JsonDifference.of(normalised(ours), normalised(theirs), List.of());
    }

    private static String unexpected(String who, ApiScript.Answered answered) {
        if (answered.answer().status() == answered.step().status()) return "";
        String body = answered.answer().body();
        return answered.step().line() + "\n    " + who + ": " + answered.answer().status() + " "
                + body.substring(0, Math.min(200, body.length())).strip() + "\n";
    }

    private static JsonNode normalised(JsonNode json) {
        try {
            return new ObjectMapper().readTree(json.toString().replaceAll("[0-9a-f]{64}", "ID").replaceAll("/tmp/balena-it-[0-9-]+", "ROOT"));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
