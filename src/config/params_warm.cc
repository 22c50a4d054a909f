#include "src/base/parse_number.h"
#include "src/config/choices.h"
#include "src/config/tables.h"

namespace hearth::config {
namespace {

using S = Settings;

const char* is_fraction(std::string_view text) {
  const auto value = parse_double(text);
  return value && *value > 0 && *value <= 1 ? nullptr : "must be above 0 and at most 1";
}

void put_fraction(Settings& s, const Value& value) {
  s.warm_gate_fraction = parse_double(value.text).value_or(1);
}

const char* is_file_name(std::string_view text) {
  return text.empty() || text.find('/') != std::string_view::npos
             ? "must be a file name, not a path"
             : nullptr;
}

constexpr Parameter kWarm[] = {
    {"warm", "", text(), "", kImm, put<&S::warm>,
     "Mapping file by which the server fills itself: it runs cache-warm, which stands beside its "
     "own binary, with this server as the target. Empty: it does not."},
    {"warm-gate", "", choice<&S::warm_gate>(), "off", Flag::kNone, put<&S::warm_gate>,
     "loading: a node that starts without data answers its clients with LOADING until a loader "
     "has filled it, is not promoted and takes no slots. Set on a node that serves, it holds from "
     "the next start on."},
    {"warm-gate-fraction", "", text(is_fraction), "1", Flag::kNone, put_fraction,
     "Part of the rows, above 0 to 1, with which the node serves. 1: the loader has said that "
     "every mapping is done."},
    {"warm-gate-deadline", "", integer(1, kIntMax), "300", Flag::kNone, put<&S::warm_gate_deadline>,
     "Seconds after which the node serves with what it has got, and as many as a service manager "
     "is asked to wait."},
    {"warm-hot-keys", "", integer(0, 100'000), "0", Flag::kNone, put<&S::warm_hot_keys>,
     "So many of the most used keys are remembered over a restart, for cache-warm to load their "
     "rows first. 0: none."},
    {"warm-hot-keys-filename", "", text(is_file_name), "hot-keys.dat", kImm,
     put<&S::warm_hot_keys_filename>, "Their file, in the working directory."},
};

}  // namespace

std::span<const Parameter> warm_parameters() { return kWarm; }

}  // namespace hearth::config
