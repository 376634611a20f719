package io.balena.engine.runtime.spec;

import io.balena.engine.runtime.spec.RuntimeSpec.BlockIo;
import io.balena.engine.runtime.spec.RuntimeSpec.Cpu;
import io.balena.engine.runtime.spec.RuntimeSpec.DeviceRule;
import io.balena.engine.runtime.spec.RuntimeSpec.HugepageLimit;
import io.balena.engine.runtime.spec.RuntimeSpec.Memory;
import io.balena.engine.runtime.spec.RuntimeSpec.Pids;
import io.balena.engine.runtime.spec.RuntimeSpec.Resources;
import io.balena.engine.runtime.spec.RuntimeSpec.ThrottleDevice;
import io.balena.engine.runtime.spec.RuntimeSpec.WeightDevice;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Reads limits.
final class ResourcesReader {
    private final JsonFields in;

    ResourcesReader(JsonFields in) {
        this.in = in;
    }

    Resources resources() throws IOException {
        List<DeviceRule> devices = null;
        Memory memory = null;
        Cpu cpu = null;
        Pids pids = null;
        BlockIo blockIo = null;
        List<HugepageLimit> hugepages = null;
        Map<String, String> unified = null;
        in.beginObject();
        for (String field; (field = in.nextField()) != null; ) {
            switch (field) {
                case "devices" -> {
                    devices = new ArrayList<>();
                    for (in.beginArray(); in.nextElement(); ) devices.add(deviceRule());
                }
                case "memory" -> memory = memory();
                case "cpu" -> cpu = cpu();
                case "pids" -> pids = pids();
                case "blockIO" -> blockIo = blockIo();
                case "hugepageLimits" -> {
                    hugepages = new ArrayList<>();
                    for (in.beginArray(); in.nextElement(); ) hugepages.add(hugepageLimit());
                }
                case "unified" -> unified = in.textMap();
                default -> in.skip();
            }
        }
        return new Resources(devices, memory, cpu, pids, blockIo, hugepages, unified);
    }

    private DeviceRule deviceRule() throws IOException {
        boolean allow = false;
        String type = null;
        Long major = null;
        Long minor = null;
        String access = null;
        in.beginObject();
        for (String field; (field = in.nextField()) != null; ) {
            switch (field) {
                case "allow" -> allow = in.flag();
                case "type" -> type = in.text();
                case "major" -> major = in.signed();
                case "minor" -> minor = in.signed();
                case "access" -> access = in.text();
                default -> in.skip();
            }
        }
        return new DeviceRule(allow, type, major, minor, access);
    }

    private Memory memory() throws IOException {
        Long limit = null;
        Long reservation = null;
        Long swap = null;
        Long kernel = null;
        Long kernelTcp = null;
        Long swappiness = null;
        Boolean disableOomKiller = null;
        in.beginObject();
        for (String field; (field = in.nextField()) != null; ) {
            switch (field) {
                case "limit" -> limit = in.number();
                case "reservation" -> reservation = in.number();
                case "swap" -> swap = in.number();
                case "kernel" -> kernel = in.number();
                case "kernelTCP" -> kernelTcp = in.number();
                case "swappiness" -> swappiness = in.number();
                case "disableOOMKiller" -> disableOomKiller = in.flag();
                default -> in.skip();
            }
        }
        return new Memory(limit, reservation, swap, kernel, kernelTcp, swappiness, disableOomKiller);
    }

    private Cpu cpu() throws IOException {
        Long shares = null;
        Long quota = null;
        Long period = null;
        Long realtimeRuntime = null;
        Long realtimePeriod = null;
        String cpus = null;
        String mems = null;
        in.beginObject();
        for (String field; (field = in.nextField()) != null; ) {
            switch (field) {
                case "shares" -> shares = in.number();
                case "quota" -> quota = in.number();
                case "period" -> period = in.number();
                case "realtimeRuntime" -> realtimeRuntime = in.number();
                case "realtimePeriod" -> realtimePeriod = in.number();
                case "cpus" -> cpus = in.text();
                case "mems" -> mems = in.text();
                default -> in.skip();
            }
        }
        return new Cpu(shares, quota, period, realtimeRuntime, realtimePeriod, cpus, mems);
    }

    private Pids pids() throws IOException {
        long limit = 0;
        in.beginObject();
        for (String field; (field = in.nextField()) != null; ) {
            if (field.equals("limit")) limit = in.number();
            else in.skip();
        }
        return new Pids(limit);
    }

    private BlockIo blockIo() throws IOException {
        Integer weight = null;
        List<WeightDevice> weightDevice = null;
        List<ThrottleDevice> readBps = null;
        List<ThrottleDevice> writeBps = null;
        List<ThrottleDevice> readIops = null;
        List<ThrottleDevice> writeIops = null;
        in.beginObject();
        for (String field; (field = in.nextField()) != null; ) {
            switch (field) {
                case "weight" -> weight = in.integer();
                case "weightDevice" -> weightDevice = weightDevices();
                case "throttleReadBpsDevice" -> readBps = throttleDevices();
                case "throttleWriteBpsDevice" -> writeBps = throttleDevices();
                case "throttleReadIOPSDevice" -> readIops = throttleDevices();
                case "throttleWriteIOPSDevice" -> writeIops = throttleDevices();
                default -> in.skip();
            }
        }
        return new BlockIo(weight, weightDevice, readBps, writeBps, readIops, writeIops);
    }

    private List<WeightDevice> weightDevices() throws IOException {
        List<WeightDevice> devices = new ArrayList<>();
        for (in.beginArray(); in.nextElement(); ) {
            long major = 0;
            long minor = 0;
            Integer weight = null;
            in.beginObject();
            for (String field; (field = in.nextField()) != null; ) {
                switch (field) {
                    case "major" -> major = in.signed();
                    case "minor" -> minor = in.signed();
                    case "weight" -> weight = in.integer();
                    default -> in.skip();
                }
            }
            devices.add(new WeightDevice(major, minor, weight));
        }
        return devices;
    }

    private List<ThrottleDevice> throttleDevices() throws IOException {
        List<ThrottleDevice> devices = new ArrayList<>();
        for (in.beginArray(); in.nextElement(); ) {
            long major = 0;
            long minor = 0;
            long rate = 0;
            in.beginObject();
            for (String field; (field = in.nextField()) != null; ) {
                switch (field) {
                    case "major" -> major = in.signed();
                    case "minor" -> minor = in.signed();
                    case "rate" -> rate = in.number();
                    default -> in.skip();
                }
            }
            devices.add(new ThrottleDevice(major, minor, rate));
        }
        return devices;
    }

    private HugepageLimit hugepageLimit() throws IOException {
        String pageSize = null;
        long limit = 0;
        in.beginObject();
        for (String field; (field = in.nextField()) != null; ) {
            switch (field) {
                case "pageSize" -> pageSize = in.text();
                case "limit" -> limit = in.number();
                default -> in.skip();
            }
        }
        return new HugepageLimit(pageSize, limit);
    }
}
