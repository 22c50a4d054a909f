// InfoControl: INFO, and the figures that other commands ask for. Implemented by the engine.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "src/base/time.h"

namespace hearth {

class FigureView;

class InfoControl {
 public:
  virtual ~InfoControl() = default;
  struct Section {
    std::string_view name;   // lower case, as a client asks for it
    bool by_default = true;  // part of INFO without arguments
    bool in_all = true;      // part of INFO all
  };
  // In the order of INFO.
  [[nodiscard]] virtual std::span<const Section> sections() const = 0;
  // Shows the view the section and all its figures, those of other parts of the server included.
  virtual void write(const Section& section, FigureView& view) = 0;

  // Bytes by what they are for. total and peak are the allocator's; the others are sums over what
  // the engine owns, so that total - overhead is about what the data takes.
  struct MemoryFigures {
    std::uint64_t total = 0, peak = 0, startup = 0;
    std::uint64_t clients_normal = 0, clients_pubsub = 0, clients_replica = 0;
    std::uint64_t backlog = 0, cluster_links = 0;
    std::uint64_t tables = 0;                  // hash tables of all databases
    std::uint64_t scripts = 0, functions = 0;  // caches and interpreters
    std::uint64_t overhead = 0;                // startup and all of the above
    std::uint64_t dataset = 0;                 // total - overhead, 0 if that is negative
  };
  [[nodiscard]] virtual MemoryFigures memory_figures() = 0;
  [[nodiscard]] virtual std::string_view version() const = 0;
  [[nodiscard]] virtual UnixMillis started() const = 0;
  // The id of this server's stream of effects, 40 hex digits, and how far it has come.
  [[nodiscard]] virtual std::string_view replication_id() const = 0;
  [[nodiscard]] virtual std::uint64_t replication_offset() const = 0;
  virtual void change_replication_id() = 0;
};

}  // namespace hearth
