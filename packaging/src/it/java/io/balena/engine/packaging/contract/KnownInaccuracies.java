package io.balena.engine.packaging.contract;

import java.util.Arrays;
import java.util.Set;
import java.util.TreeSet;

/// Where answers are not as described and shall not be.
public final class KnownInaccuracies {
    private static final String NULL = "null";
    private static final String ENUMERATION = "not of the enumeration";

    /// Where the description is not what dockerd does, and we do as dockerd: each is seen of dockerd in the run that asks.
    public static final Set<String> OF_DOCKERD = new TreeSet<>();

    /// What no dockerd says.
    public static final Set<String> OWN = Set.of("GET /version: /Engine: not described");

    static {
        add("GET /containers/{id}/json", NULL, "/Config/", "Entrypoint", "OnBuild", "Volumes");
        add("GET /containers/{id}/json", NULL, "/HostConfig/", "Binds", "BlkioDeviceReadBps", "BlkioDeviceReadIOps", "BlkioDeviceWriteBps",
                "BlkioDeviceWriteIOps", "BlkioWeightDevice", "CapAdd", "CapDrop", "DeviceCgroupRules", "DeviceRequests", "Devices", "Dns",
                "DnsOptions", "DnsSearch", "ExtraHosts", "GroupAdd", "Links", "MemorySwappiness", "PortBindings", "SecurityOpt", "Ulimits", "VolumesFrom");
        add("GET /containers/{id}/json", NULL, "/NetworkSettings/Networks/*/", "Aliases", "Links");
        add("GET /containers/{id}/json", ENUMERATION, "/HostConfig/", "Isolation", "RestartPolicy/Name");
        add("GET /containers/json", NULL, "/*/NetworkSettings/Networks/*/", "Aliases", "Links");
        add("GET /containers/json", ApiDescription.NOT_DESCRIBED, "/*/Mounts/*/", "Destination", "Driver", "Mode", "Name", "Propagation", "RW");
        add("GET /containers/{id}/stats", NULL, "/blkio_stats/", "io_service_bytes_recursive");
        add("GET /exec/{id}/json", NULL, "/", "ExitCode");
        add("GET /images/json", NULL, "/*/", "Labels", "RepoDigests");
        add("GET /images/{name}/json", NULL, "/Config/", "Cmd", "Entrypoint", "Env", "Labels", "OnBuild", "Volumes");
        add("GET /images/{name}/json", NULL, "/ContainerConfig/", "Cmd", "Entrypoint", "Env", "Labels", "OnBuild", "Volumes");
        add("GET /info", NULL, "/", "GenericResources", "Plugins/Authorization");
        add("GET /info", ENUMERATION, "/", "Isolation");
        add("GET /info", ApiDescription.NOT_DESCRIBED, "/", "KernelMemoryTCP");
        add("GET /networks", NULL, "/*/IPAM/", "Options");
        add("GET /networks", ApiDescription.NOT_DESCRIBED, "/*/", "ConfigFrom", "ConfigOnly");
        add("GET /networks/{id}", NULL, "/IPAM/", "Options");
        add("GET /networks/{id}", ApiDescription.NOT_DESCRIBED, "/", "ConfigFrom", "ConfigOnly");
        add("GET /system/df", NULL, "/", "BuildCache", "Images/*/Labels", "Images/*/RepoDigests", "Volumes/*/Labels", "Volumes/*/Options");
        add("GET /system/df", NULL, "/Containers/*/NetworkSettings/Networks/*/", "Aliases", "Links");
        add("GET /system/df", "object found, array expected", "/Containers/", "*");
        add("GET /system/df", ApiDescription.NOT_DESCRIBED, "/", "BuilderSize");
        add("GET /volumes", NULL, "/", "Volumes/*/Labels", "Volumes/*/Options", "Warnings");
        add("GET /volumes/{name}", NULL, "/", "Labels", "Options");
        add("POST /volumes/create", NULL, "/", "Labels", "Options");
        // Lists of what there is none of.
        add("GET /containers/{id}/changes", NULL, "", "/");
        add("POST /build/prune", NULL, "/", "CachesDeleted");
        add("POST /containers/prune", NULL, "/", "ContainersDeleted");
        add("POST /containers/{id}/update", NULL, "/", "Warnings");
        add("POST /containers/{id}/wait", NULL, "/", "Error");
        add("POST /images/prune", NULL, "/", "ImagesDeleted");
        add("POST /networks/prune", NULL, "/", "NetworksDeleted");
    }

    private KnownInaccuracies() {}

    private static void add(String endpoint, String rule, String above, String... below) {
        Arrays.stream(below).forEach(each -> OF_DOCKERD.add(endpoint + ": " + above + each + ": " + rule));
    }
}
