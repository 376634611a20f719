package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Duration;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/// Many containers that come and go at once on one network leave no link, namespace, rule, address or file.
@ExtendWith(SharedEngine.class)
class NetworkSoakIT {
    private static final int AT_ONCE = 10;
    private Engine engine;

    @BeforeEach void use(Engine shared) {
        engine = shared;
    }

    @Test void twentyContainersThatComeAndGoLeaveNothing() {
        comeAndGo(1, 20);
    }

    @Test @Tag("long") void twoHundredContainersByTheHundredLeaveNothing() {
        comeAndGo(4, 100);
    }

    private void comeAndGo(int waves, int containers) {
        shell("docker network create --ipv6 --subnet 10.77.0.0/16 --subnet fd00:77::/64 crowd; docker network create --subnet 10.78.0.0/16 second");
        // Before the first one, the chains and settings that all share are not there.
        shell("docker run --rm --network crowd -p 80 " + BusyboxImage.NAME + " true");
        try {
            String before = left();
            for (int wave = 0; wave < waves; wave++) {
                shell("seq " + containers + " | xargs -P " + AT_ONCE + " -I N " + docker() + " run -d --name crowdN --network crowd -p 80 -p 81/udp "
                        + BusyboxImage.NAME + " sleep 1000 >/dev/null");
                assertEquals(containers, shell("docker network inspect crowd -f '{{range .Containers}}{{.IPv4Address}} {{.IPv6Address}}\n{{end}}' | sort -u | grep -c 10.77").lines()
                        .mapToInt(Integer::parseInt).sum(), "each has addresses of its own");
                shell("seq 5 | xargs -P 5 -I N " + docker() + " network connect second crowdN");
                // Half of them by their ends, half by force.
                shell("seq 2 2 " + containers + " | xargs -P " + AT_ONCE + " -I N " + docker() + " stop -t 0 crowdN >/dev/null");
                shell("seq " + containers + " | xargs -P " + AT_ONCE + " -I N " + docker() + " rm -f crowdN >/dev/null");
                Engine.become(Duration.ofSeconds(60), () -> left().equals(before));
                assertEquals(before, left());
            }
            assertEquals("10.77.0.2", shell("docker run --rm --network crowd " + BusyboxImage.NAME
                    + " ip -o -4 addr show eth0 | sed -E 's/.*inet ([0-9.]+).*/\\1/'"), "the first address is free again");
        } finally {
            shell("docker ps -aq --filter name=crowd | xargs -r " + docker() + " rm -f >/dev/null; docker network rm crowd second");
        }
    }

    private String docker() {
        return DockerCli.newest() + " -H unix://" + engine.socket();
    }

    private String shell(String script) {
        return SideBySide.shell(engine, script).succeeded();
    }

    /// What the kernel and the engine hold for containers.
    private String left() {
        return String.join("\n", Stream.of("machine ip -o link | cut -d: -f2 | sort", "machine iptables-save | grep -v '^[#:]' | sort",
                "machine ip6tables-save | grep -v '^[#:]' | sort", "machine ip -o addr | grep -v fe80: | cut -d' ' -f2-8 | sort", "machine ip route | sed 's/ linkdown//' | sort",
                "machine ss -Hltun | sort", "find " + engine.exec() + "/network -type f | wc -l",
                "ls -l /proc/" + engine.daemon().pid() + "/fd /proc/" + engine.shim().pid() + "/fd | grep -c net:; true").map(this::shell).toList());
    }
}
