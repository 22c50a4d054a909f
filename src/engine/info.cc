// INFO: every section, from the figures the engine holds.
#include <cstdio>

#include "src/engine/engine.h"

namespace hearth {

void InfoWriter::fixed(std::string_view name, double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  field(name, std::string_view(text));
}

std::span<const InfoControl::Section> Engine::sections() const {
  static constexpr Section kSections[] = {
      {"server", true, true},
  };
  return kSections;
}

void Engine::write(std::string_view section, InfoWriter& out) {
  if (section == "server") write_server(out);
}

void Engine::write_server(InfoWriter& out) {
  out.section("Server");
  out.field("redis_version", "7.4.0");
  out.field("process_id", facts_.pid);
}

}  // namespace hearth
