package io.balena.engine.packaging;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// Networks beside Debian's dockerd: the same commands in two machines that are alike.
class NetworkParityIT {
    private static SideBySide engines;

    /// What the two cannot have in common: names of links, subnets that each chooses (dockerd loses those of networks it could not make), hardware addresses that are random, how IPv6 addresses of our bridges need no
    /// probing, and names that only the newer API has.
    private static final String PLAIN = " | sed -E 's/balena0/docker0/g; s/br-[0-9a-f]{12}/br-ID/g; s/172\\.(1[89]|2[0-9])\\./172.N./g; s/veth[0-9a-f]{7}/veth/g; s/@if[0-9]+/@if/; s/^[0-9]+: //;"
            + " s/02:42:(0a|ac)/0242:\\1/g; s/02:42:[0-9a-f:]{11}/MAC/g; s/0242:/02:42:/g; s/ (tentative|nodad|flags 02)//g; s/fe80::[0-9a-f:]+/LINKLOCAL/g;"
            + " s/\"Sandbox(ID|Key)\":\"[^\"]*\",?//g; s/\"DNSNames\":[^}]*/\"\"/g; s/,?\"GwPriority\":0//'";
    private static final String RULES = "machine iptables-save | grep -v '^[#:]'" + PLAIN + " | sort";
    private static final String SETTINGS = " -f '{{json .NetworkSettings}}'" + PLAIN;

    @BeforeAll static void start() {
        Dockerd.assumeInstalled();
        BusyboxImage.assumePossible();
        engines = SideBySide.startWithNetworks();
        BusyboxImage.importInto(engines.ours);
        BusyboxImage.importInto(engines.theirs);
        // The address of its own bridge dockerd only shows from its second start on.
        engines.both("docker run --rm " + BusyboxImage.NAME + " true");
    }

    @AfterAll static void stop() {
        if (engines != null) engines.close();
    }

    @AfterEach void clear() {
        engines.both("for i in $(docker ps -aq); do docker rm -f $i; done; docker network prune -f");
        engines.agreeOn("docker network ls --format '{{.Name}} {{.Driver}}' | sort", RULES, "machine ip -o link | cut -d: -f2 | cut -d@ -f1" + PLAIN + " | sort");
    }

    private static String run(String name, String options) {
        return "docker run -d --name " + name + " " + options + " " + BusyboxImage.NAME + " sleep 1000";
    }

    private static String api(String path, String json) {
        return "api " + path + " -X POST -H 'Content-Type: application/json' -d '" + json + "' -w ' %{http_code}'";
    }

    @Test void networksAreShownAsTheyWereAskedFor() {
        engines.agreeOn("docker network create n1", "docker network create --subnet 10.1.0.0/24 n2",
                "docker network create --subnet 10.2.0.0/24 --ip-range 10.2.0.128/25 --gateway 10.2.0.129 --aux-address a=10.2.0.130 --label l=1"
                        + " -o com.docker.network.bridge.name=mybr -o com.docker.network.bridge.enable_icc=false --attachable n3",
                "docker network create --ipv6 --subnet fd00:3::/64 --subnet 10.3.0.0/24 n4", "docker network create --internal n5",
                "docker network create --subnet 10.9.0.5/24 -o unknown.option=1 n6", "docker network create --config-only --subnet 10.7.0.0/24 --label x=y n7",
                "docker network create --config-from n7 n8",
                "docker network inspect n1 n2 n3 n4 n5 n6 n7 n8 host none" + PLAIN, "docker network inspect bridge -f '{{json .Options}}'" + PLAIN,
                "machine ip -o addr | cut -d' ' -f2-" + PLAIN + " | sort", RULES,
                "docker network ls --filter driver=null --format '{{.Name}}'", "docker network ls --filter label=l --format '{{.Name}}'",
                "docker network ls --filter label=l=2 --format '{{.Name}}'", "docker network ls --filter type=custom --format '{{.Name}}' | sort",
                "docker network ls --filter type=builtin --format '{{.Name}}' | sort", "docker network ls --filter name=n --format '{{.Name}}' | sort",
                "docker network ls --filter id=$(docker network inspect n2 -f '{{slice .Id 0 9}}') --format '{{.Name}}'",
                "docker network ls --filter scope=swarm", "docker network prune -f --filter label=l", "docker network prune -f --filter until=1h",
                "docker network prune -f --filter 'label!=x' | sort", "docker network rm n7", "docker network rm n8 n7");
    }

    @Test void whatCannotBeSaysSoInTheSameWords() {
        engines.agreeOn("docker network create --subnet 10.1.0.0/24 n1", "docker network create n1", "docker network create --subnet 10.1.0.0/25 n2",
                "docker network create bridge", "docker network create host", "docker network create -d foo x", "docker network create -d host x",
                "docker network create -d null x", "docker network create --ipam-driver foo x", "docker network create --subnet 10.5.0.0/33 x",
                "docker network create --ipv6 --subnet 10.5.0.0/24 x", "docker network create --subnet 10.5.0.0/24 --subnet 10.6.0.0/24 x",
                "docker network create --subnet 10.5.0.0/31 x", "docker network create --config-from nope x",
                "docker network create --subnet 10.5.0.0/24 -o com.docker.network.bridge.enable_icc=foo x",
                "docker network create --subnet 10.5.0.0/24 -o com.docker.network.driver.mtu=foo x",
                "docker network create --subnet 10.5.0.0/24 -o com.docker.network.bridge.host_binding_ipv4=foo x",
                "docker network create --subnet 10.5.0.0/24 -o com.docker.network.bridge.name=br-$(docker network inspect -f '{{slice .Id 0 12}}' n1) x 2>&1 | sed 's/network [^ ]*//'",
                "docker network create -d ipvlan --subnet 10.5.0.0/24 -o ipvlan_mode=l9 x", "docker network create -d macvlan --subnet 10.5.0.0/24 -o macvlan_mode=l9 x",
                "docker network create -d macvlan --subnet 10.5.0.0/24 -o parent=nope x", "docker network create -d macvlan --subnet 10.5.0.0/24 -o parent=nope.5 x",
                api("/networks/create", "{\"Name\":\"y\",\"IPAM\":{\"Config\":[{\"Subnet\":\"foo\"}]}}"),
                api("/networks/create", "{\"Name\":\"y\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.51.0.0/24\",\"Gateway\":\"10.50.0.1\"}]}}"),
                api("/networks/create", "{\"Name\":\"y\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.52.0.0/24\",\"IPRange\":\"bar\"}]}}"),
                api("/networks/create", "{\"Name\":\"y\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.53.0.0/24\",\"AuxiliaryAddresses\":{\"a\":\"10.50.0.1\"}}]}}"),
                api("/networks/create", "{\"Name\":\"y\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.54.0.0/24\",\"AuxiliaryAddresses\":{\"a\":\"zz\"}}]}}"),
                api("/networks/create", "{\"Name\":\"y\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.55.0.0/24\",\"Gateway\":\"zz\"}]}}"),
                api("/networks/create", "{\"Name\":\"y\",\"IPAM\":{\"Config\":[{\"Gateway\":\"10.51.0.1\"}]}}"),
                api("/networks/create", "{}"), api("/networks/create", "{\"Name\":\"bridge\"}"), api("/networks/create", "{\"Name\":\"n1\",\"CheckDuplicate\":true}"),
                api("/networks/create", "{\"Name\":\"y\",\"Driver\":\"foo\"}"), api("/networks/create", "{\"Name\":\"y\",\"Driver\":\"host\"}"),
                "docker network rm nope", "docker network rm bridge", "docker network inspect nope", "docker network ls --filter foo=bar",
                "docker network ls --filter dangling=foo", "docker network ls --filter type=foo",
                "docker network ls --format '{{.Name}}' | sort");
    }

    @Test void aContainersPlacesOnTwoNetworksAreTheSame() {
        String looks = "docker exec cc cat /etc/hosts | sort; docker exec cc ip addr" + PLAIN + "; docker exec cc ip route" + PLAIN;
        engines.both("docker network create --subnet 10.31.0.0/24 r1", "docker network create --subnet 10.32.0.0/24 r2");
        engines.agreeOn(run("cc", "--network r1 --network-alias al1 --ip 10.31.0.50 -p 8080:80 -p 127.0.0.1:8081:81/udp"),
                "docker inspect cc" + SETTINGS, looks, RULES, "docker network connect --alias foo --link a:lnk r2 cc", "docker inspect cc" + SETTINGS, looks, RULES,
                "docker network inspect r1 r2" + PLAIN, "docker network rm r1", "docker network disconnect r1 cc", "docker inspect cc" + SETTINGS,
                "docker exec cc ip route", RULES, "docker network disconnect r1 cc", "docker network connect r2 cc",
                "docker network connect --ip 10.31.0.1 r1 cc", "docker network connect --ip 10.77.0.1 r1 cc", "docker network connect --ip 10.31.0.50 r1 cc",
                "docker exec cc ip addr" + PLAIN + "; docker exec cc ip route" + PLAIN, RULES,
                run("dd", "--network r1 --ip 10.31.0.50"), "docker inspect dd -f '{{.State.Status}} {{.State.Error}}'", "docker rename cc ee",
                "docker network inspect r1 -f '{{range .Containers}}{{.Name}}{{end}}'", "docker stop -t 0 ee", "docker inspect ee" + SETTINGS,
                "docker network inspect r1 r2" + PLAIN, RULES, "docker start ee", "docker exec ee ip addr show eth0" + PLAIN);
    }

    @Test void whatContainersCannotHaveSaysSoInTheSameWords() {
        engines.both("docker network create --subnet 10.31.0.0/24 r1", "docker network create r3", run("cc", "--network r1"), run("hh", "--network host"),
                run("nn", "--network none"), run("oo", "--network container:cc"), run("bb", "-p 8080:80"));
        engines.agreeOn("docker network connect host cc", "docker network connect none cc", "docker network connect r1 hh", "docker network connect r1 nn",
                "docker network connect r1 oo", "docker network disconnect host hh", "docker network disconnect bridge cc", "docker network disconnect nope cc",
                "docker network connect r1 nope", "docker network disconnect -f r1 nope", run("x1", "--network nope"), run("x2", "--ip 10.31.0.9"),
                run("x3", "--network r1 --ip 10.99.0.7"), run("x4", "--network r3 --ip 172.30.0.7"),
                run("x5", "-p 8080:1") + " 2>&1 | sed -E 's/x5 \\([0-9a-f]+\\)//'", "docker inspect x5 -f '{{.State.Status}}'",
                run("x6", "--network r1 --ip 10.31.0.0"), "docker network connect bridge cc", "docker network connect bridge cc", "docker inspect oo" + SETTINGS,
                api("/containers/create?name=m1", "{\"Image\":\"" + BusyboxImage.NAME + "\",\"Cmd\":[\"true\"],\"HostConfig\":{\"NetworkMode\":\"r1\"},"
                        + "\"NetworkingConfig\":{\"EndpointsConfig\":{\"r1\":{\"IPAMConfig\":{\"IPv4Address\":\"zz\"}}}}}"),
                api("/containers/create?name=m2", "{\"Image\":\"" + BusyboxImage.NAME + "\",\"Cmd\":[\"true\"],\"HostConfig\":{\"NetworkMode\":\"bridge\"},"
                        + "\"NetworkingConfig\":{\"EndpointsConfig\":{\"bridge\":{\"Aliases\":[\"x\"]}}}}") + " >/dev/null; docker start m2");
    }

    @Test void linksOnTheDefaultBridgeAreTheSame() {
        engines.both(run("one", "--expose 77 --expose 53/udp -e X=1 -h host1"), "docker network create r1");
        engines.agreeOn(run("two", "--link one:al"), "docker inspect two -f '{{json .HostConfig.Links}}'", "docker exec two cat /etc/hosts | sort",
                "tr '\\0' '\\n' </proc/$(docker inspect -f '{{.State.Pid}}' two)/environ | sort", RULES, run("x1", "--link nope:al"),
                "docker create --name three --link one " + BusyboxImage.NAME, "docker inspect three -f '{{json .HostConfig.Links}}'",
                run("far", "--network r1"), run("x2", "--link far:al"), "docker stop -t 0 one", run("x3", "--link one:al"));
    }

    @Test void ipv6AndTheBridgesOptionsAreTheSame() {
        engines.both("docker network create --ipv6 --subnet 10.3.0.0/24 --subnet fd00:3::/64 n6", "machine ip addr add 192.0.2.10/24 dev lo",
                "docker network create --subnet 10.18.0.0/24 -o com.docker.network.bridge.enable_ip_masquerade=false"
                        + " -o com.docker.network.bridge.host_binding_ipv4=192.0.2.10 bound",
                "docker network create --subnet 10.19.0.0/24 -o com.docker.network.driver.mtu=1400 -o com.docker.network.container_iface_prefix=foo small",
                "docker network create --internal --subnet 10.20.0.0/24 inner");
        engines.agreeOn(run("six", "--network n6 --ip6 fd00:3::77"), "docker exec six ip -6 route | sort" + PLAIN, "docker exec six ip addr" + PLAIN,
                "docker exec six cat /etc/hosts | sort", "docker inspect six" + SETTINGS, "docker network inspect n6 -f '{{json .Containers}}'",
                run("bound", "--network bound -p 7778:77"), "docker inspect bound -f '{{json .NetworkSettings.Ports}}'",
                run("small", "--network small -p 7779-7780:79"), "docker exec small ip addr" + PLAIN, "docker inspect small -f '{{json .NetworkSettings.Ports}}'",
                run("small2", "--network small -p 7779-7780:79"), "docker inspect small2 -f '{{json .NetworkSettings.Ports}}'",
                run("inner", "--network inner -p 90:90"), "docker exec inner ip route", "docker inspect inner -f '{{json .NetworkSettings.Ports}}'", RULES);
        engines.both("machine ip addr del 192.0.2.10/24 dev lo");
    }
}
