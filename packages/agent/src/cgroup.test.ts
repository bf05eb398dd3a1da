import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { autoProcesses, readCgroup } from "./cgroup.js";

function layOut(t: TestContext, files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), "cgroup-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}

test("of cgroup v2 the tightest quota on the way to the root holds", (t) => {
  const root = layOut(t, {
    "proc/self/cgroup": "0::/pods/one\n",
    "sys/fs/cgroup/pods/cpu.max": "250000 100000\n",
    "sys/fs/cgroup/pods/one/cpu.max": "max 100000\n",
    "sys/fs/cgroup/pods/one/cpu.stat": "usage_usec 5\nnr_throttled 3\nthrottled_usec 1234\n",
  });
  const cgroup = readCgroup(root);
  assert.equal(cgroup.cpuQuota(), 2.5);
  assert.equal(cgroup.throttledUs(), 1234);
});

test("of cgroup v1 quota and throttled time are read in its own units, also from within a container", (t) => {
  const root = layOut(t, {
    "proc/self/cgroup": "5:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "150000\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.stat": "nr_periods 9\nthrottled_time 5000000\n",
  });
  const cgroup = readCgroup(root);
  assert.equal(cgroup.cpuQuota(), 1.5);
  assert.equal(cgroup.throttledUs(), 5000);
});

test("no quota, unlimited quota and nonsense are no quota", (t) => {
  for (const files of [
    {},
    { "proc/self/cgroup": "0::/\n" },
    { "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n" },
    { "proc/self/cgroup": "0::/../..\n", "sys/fs/cgroup/cpu.max": "garbage\n" },
    {
      "proc/self/cgroup": "1:cpu:/\n",
      "sys/fs/cgroup/cpu/cpu.stat": "",
      "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
      "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    },
  ]) {
    const cgroup = readCgroup(layOut(t, files));
    assert.equal(cgroup.cpuQuota(), null, JSON.stringify(files));
    assert.equal(cgroup.throttledUs(), 0);
  }
});

test("automatic processes are bounded by CPUs and by the quota, and never none", () => {
  assert.equal(autoProcesses({ cpus: 16, quota: null }), 16);
  assert.equal(autoProcesses({ cpus: 16, quota: 2.5 }), 2);
  assert.equal(autoProcesses({ cpus: 2, quota: 8 }), 2);
  assert.equal(autoProcesses({ cpus: 4, quota: 0.5 }), 1);
  assert.ok(autoProcesses() >= 1);
});
