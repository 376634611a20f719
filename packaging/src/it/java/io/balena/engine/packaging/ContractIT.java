package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.balena.engine.packaging.contract.Contract;
import io.balena.engine.packaging.contract.Coverage;
import io.balena.engine.packaging.contract.Exchanges;
import io.balena.engine.packaging.contract.KnownGaps;
import io.balena.engine.packaging.contract.KnownInaccuracies;
import io.balena.engine.packaging.contract.RecordingRelay;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/// What the engine answers to the scripts of `endpoints`, held against the API's description of each version. Where the description is
/// wrong, dockerd shows that it is, in the same run.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ContractIT {
    private static final List<Integer> MINORS = List.of(24, 41, 44, 51);
    private static final List<Integer> DOCKERDS = List.of(24, 41);

    private Contract contract;
    private SideBySide engines;

    /// An engine, and where what is said to it is heard.
    private record Heard(Engine engine, Path socket, RecordingRelay relay) implements AutoCloseable {
        static Heard of(Engine engine, Exchanges.Engine who) {
            Path socket = engine.scratch().resolve("relay");
            return new Heard(engine, socket, RecordingRelay.start(socket, engine.socket(), () -> who));
        }

        void asked(List<Integer> minors) {
            try {
                for (ApiScript script : ApiScript.all()) {
                    for (int minor : minors) script.run(new Api(socket, "1." + minor));
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        void commanded() {
            CommandScript.read().run(DockerCli.newest(), socket, engine.scratch());
        }

        @Override public void close() {
            relay.close();
        }
    }

    /// Before each, since of a class that is skipped as a whole no test is named.
    @BeforeEach void listen() throws IOException {
        Path folder = Path.of(System.getProperty("api.description"));
        assumeTrue(Files.isDirectory(folder), "needs the API's description in " + folder);
        BusyboxImage.assumePossible();
        if (engines != null) return;
        contract = new Contract(folder);
        engines = SideBySide.start();
        BusyboxImage.importInto(engines.ours);
        BusyboxImage.importInto(engines.theirs);
        both(ours -> ours.asked(MINORS), theirs -> theirs.asked(DOCKERDS));
    }

    @AfterAll void stop() {
        if (engines != null) engines.close();
    }

    @Test void everyAnswerIsAsDescribed() throws IOException {
        assertEquals("", undescribed());
    }

    @Test void everyEndpointIsAskedRightlyAndWrongly() throws IOException {
        var coverage = coverage();
        System.out.println(coverage.table());
        assertEquals(String.join("\n", KnownGaps.REASONS.keySet()), String.join("\n", coverage.gaps()));
    }

    @Tag("long")
    @Test void everyAnswerToTheCommandLineIsAsDescribed() throws IOException {
        for (Engine engine : List.of(engines.ours, engines.theirs)) BusyboxImage.importAsBase(engine);
        both(Heard::commanded, Heard::commanded);
        System.out.println(Exchanges.all().size() + " answers\n" + coverage().table());
        assertEquals("", undescribed());
    }

    private void both(Consumer<Heard> ours, Consumer<Heard> theirs) {
        try (var here = Heard.of(engines.ours, Exchanges.Engine.OURS); var there = Heard.of(engines.theirs, Exchanges.Engine.DOCKERD)) {
            var meanwhile = CompletableFuture.runAsync(() -> theirs.accept(there));
            ours.accept(here);
            meanwhile.join();
        }
    }

    private Coverage coverage() throws IOException {
        var ours = Exchanges.all().stream().filter(exchange -> exchange.engine() == Exchanges.Engine.OURS);
        return new Coverage(contract, MINORS, ours.map(contract::judge).flatMap(Optional::stream).toList());
    }

    /// What is neither described nor dockerd's, and what is said to be dockerd's and is not.
    private String undescribed() throws IOException {
        var theirs = new TreeSet<String>();
        var ours = new TreeMap<String, Set<String>>();
        for (var exchange : Exchanges.all()) {
            if (exchange.engine() == Exchanges.Engine.OURS) {
                contract.judge(exchange).ifPresent(judged -> judged.violations()
                        .forEach(violation -> ours.computeIfAbsent(violation.fault(), _ -> new TreeSet<>()).add("1." + violation.minor())));
            } else {
                contract.judgeByAll(exchange).forEach(judged -> judged.violations().forEach(violation -> theirs.add(violation.fault())));
            }
        }
        var unproven = new TreeSet<>(KnownInaccuracies.OF_DOCKERD);
        unproven.removeAll(theirs);
        ours.keySet().removeAll(KnownInaccuracies.OF_DOCKERD);
        ours.keySet().removeAll(KnownInaccuracies.OWN);
        var lines = new ArrayList<String>();
        ours.forEach((fault, versions) -> lines.add(fault + " " + versions + (theirs.contains(fault) ? ", as dockerd" : "")));
        unproven.forEach(fault -> lines.add(fault + ": not of dockerd"));
        return String.join("\n", lines);
    }
}
