package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// Some two hundred commands of the docker command line, with our engine and with dockerd 20.10.
class CommandScriptIT {
    @Test void everyCommandSaysTheSame() {
        compare(List.of(DockerCli.newest()));
    }

    @Tag("long")
    @Test void everyCommandSaysTheSameWithEachCommandLine() {
        compare(DockerCli.installed());
    }

    private static void compare(List<Path> clients) {
        BusyboxImage.assumePossible();
        var script = CommandScript.read();
        var unexplained = new ArrayList<String>();
        var explained = new TreeMap<Integer, String>();
        try (var engines = SideBySide.start()) {
            for (Path client : clients) {
                empty(engines);
                var theirs = CompletableFuture.supplyAsync(() -> script.run(client, engines.theirs));
                List<String> ours = script.run(client, engines.ours);
                for (int i = 0; i < ours.size(); i++) {
                    if (ours.get(i).equals(theirs.join().get(i))) continue;
                    var line = script.lines().get(i);
                    String difference = "$ " + line.command() + "\n--- theirs\n" + theirs.join().get(i) + "\n--- ours\n" + ours.get(i) + "\n";
                    if (line.reason().isEmpty()) unexplained.add(client + "\n" + difference);
                    else explained.put(i, line.reason() + "\n" + difference);
                }
            }
        }
        System.out.println(script.lines().size() + " commands, of which " + explained.size() + " differ as they should:\n" + String.join("\n", explained.values()));
        assertEquals("", String.join("\n", unexplained));
        for (int i = 0; i < script.lines().size(); i++) {
            String reason = script.lines().get(i).reason();
            assertEquals(reason.isEmpty(), !explained.containsKey(i), "no longer differs: " + script.lines().get(i).command());
        }
    }

    private static void empty(SideBySide engines) {
        for (var engine : List.of(engines.ours, engines.theirs)) {
            SideBySide.shell(engine, "docker rm -f $(docker ps -aq); docker volume rm $(docker volume ls -q); docker rmi -f $(docker images -aq)");
            BusyboxImage.importAsBase(engine);
        }
    }
}
