// A `cache-warm follow` that runs in the background, with its files.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/system/peers.h"

namespace hearth::test {

class FollowerProcess {
 public:
  // url: of the database. mappings: the [[mapping]] tables of the file.
  FollowerProcess(const std::string& url, const ServerProcess& cache, std::string name,
                  const std::string& mappings)
      : cache_(cache), name_(std::move(name)) {
    file_ = dir_.write("m.toml", "[source]\nurl = \"" + url + "\"\nworkers = 1\n[target]\n" +
                                     "address = \"" + cache.address() + "\"\n" + mappings);
  }
  void start(std::vector<std::string> more = {}) {
    std::vector<std::string> command = {
        built("cache-warm"), "follow", file_, "--name", name_, "--json"};
    command.insert(command.end(), more.begin(), more.end());
    process_ = std::make_unique<ChildProcess>(command, dir_.file("out"), dir_.file("err"));
  }
  // Once it streams, everything that was committed before comes to the cache.
  bool streams() {
    return eventually([&] { return !process_->is_running() || is_streaming(); },
                      milliseconds{60'000});
  }
  [[nodiscard]] bool is_streaming() const { return saved("phase") == "streaming"; }
  int stop(int signal) { return process_->stop(signal); }
  void send(int signal) { process_->send(signal); }
  std::optional<int> ends() { return process_->wait(milliseconds{60'000}); }
  // Keys that are missing, different, or of no row.
  int differing() {
    const auto found =
        run_command({built("cache-warm"), "verify", file_, "--orphans", "report", "--json"});
    CAPTURE(found.err);
    CAPTURE(found.out);
    const auto counts = nlohmann::json::parse(found.out);
    CHECK(counts["keys_same"].get<int>() > 0);
    return counts["keys_missing"].get<int>() + counts["keys_different"].get<int>() +
           counts["keys_orphaned"].get<int>();
  }
  // A field of the state that it keeps in the cache.
  [[nodiscard]] std::string saved(const std::string& field) const {
    return cache_.run({"HGET", "cache-warm:follow:" + name_, field});
  }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string errors() const { return dir_.read("err"); }
  [[nodiscard]] std::string output() const { return dir_.read("out"); }
  [[nodiscard]] const std::string& file() const { return file_; }

 private:
  const ServerProcess& cache_;
  std::string name_;
  TempDir dir_;
  std::string file_;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace hearth::test
