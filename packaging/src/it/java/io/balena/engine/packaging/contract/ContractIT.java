package io.balena.engine.packaging.contract;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.balena.engine.packaging.contract.Contract.Judged;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// Whatever was answered in a run of the tests with `-Dapi.recorded=true` is held against the API's description of its version.
@Tag("long")
class ContractIT {
    private static List<Judged> judged;

    @BeforeAll static void read() throws IOException {
        Path folder = Path.of(System.getProperty("api.description"));
        assumeTrue(Files.isDirectory(folder), "needs the API's description in " + folder);
        assumeTrue(Files.exists(Exchanges.recorded()), "needs tests before it that talk to an engine");
        var contract = new Contract(folder);
        judged = Exchanges.all().map(contract::judge).flatMap(Optional::stream).toList();
    }

    @Test void everyAnswerIsAsDescribed() {
        Map<String, Integer> faults = new TreeMap<>();
        for (Judged each : judged) {
            for (var violation : each.violations()) faults.merge(each.exchange().engine() + " " + violation, 1, Integer::sum);
        }
        assertEquals("", faults.entrySet().stream().map(fault -> fault.getKey() + " (" + fault.getValue() + ")").collect(Collectors.joining("\n")));
    }
}
