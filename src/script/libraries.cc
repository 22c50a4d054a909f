// Libraries of functions.
#include <algorithm>

#include "src/base/parse_number.h"
#include "src/command/script_control.h"
#include "src/command/script_host.h"
#include "src/script/runtime.h"
#include "src/script/shebang.h"

namespace hearth::script {
namespace {

constexpr std::uint64_t kNsPerMs = 1'000'000;

}  // namespace

std::size_t Runtime::Library::bytes() const {
  std::size_t bytes = sizeof(Library) + about.name.capacity() + about.code.capacity();
  for (const Function& f : functions)
    bytes += sizeof(Function) + f.about.name.capacity() +
             (f.about.description ? f.about.description->capacity() : 0);
  return bytes;
}

Result<std::unique_ptr<Runtime::Library>, ReplyError> Runtime::make_library(std::string_view code,
                                                                            milliseconds limit) {
  HEARTH_TRY(LibraryHead head, read_library_shebang(code));
  Vm& vm = this->vm(ScriptKind::kFunction);
  const std::uint64_t deadline =
      limit.count() == 0
          ? 0
          : host_.script_ticks() + static_cast<std::uint64_t>(limit.count()) * kNsPerMs;
  LibraryLoad load(vm, deadline);
  HEARTH_TRY_VOID(vm.run_library(code.substr(head.length), load));
  if (load.functions().empty()) return refuse("ERR No functions registered");
  auto library = std::make_unique<Library>();
  library->about.name = std::move(head.name);
  library->about.code = code;
  for (LibraryLoad::Function& f : load.release()) {
    library->about.functions.push_back(f.about);
    library->functions.push_back({std::move(f.about), f.ref, library->about.name});
  }
  return library;
}

void Runtime::drop(Library& library) {
  for (const Function& f : library.functions) function_vm_->forget(f.ref);
}

void Runtime::add_to(Index& index, const Library& library) {
  for (const Function& f : library.functions) index.emplace(lower_case(f.about.name), &f);
}

void Runtime::take_from(Index& index, const Library& library) {
  for (const Function& f : library.functions) index.erase(lower_case(f.about.name));
}

std::string Runtime::taken_name(const Index& index, const Library& library) {
  for (const Function& ours : library.functions) {
    const auto at = index.find(lower_case(ours.about.name));
    // Its own predecessor has no say.
    if (at != index.end() && at->second->library != library.about.name) return ours.about.name;
  }
  return {};
}

void Runtime::install(std::unique_ptr<Library> library) {
  add_to(functions_, *library);
  library_bytes_ += library->bytes();
  std::string key = library->about.name;
  libraries_.emplace(std::move(key), std::move(library));
}

void Runtime::remove(Libraries::iterator at) {
  take_from(functions_, *at->second);
  library_bytes_ -= at->second->bytes();
  drop(*at->second);
  libraries_.erase(at);
}

Result<std::string, ReplyError> Runtime::load_library(std::string_view code, bool replace,
                                                      milliseconds limit) {
  HEARTH_TRY(const LibraryHead head, read_library_shebang(code));
  auto old = libraries_.find(head.name);
  if (old != libraries_.end() && !replace)
    return refuse("ERR Library '" + head.name + "' already exists");
  HEARTH_TRY(std::unique_ptr<Library> library, make_library(code, limit));
  if (const std::string name = taken_name(functions_, *library); !name.empty()) {
    drop(*library);
    return refuse("ERR Function " + name + " already exists");
  }
  if (old != libraries_.end()) remove(old);
  install(std::move(library));
  return head.name;
}

// All or none: the new ones are made first, then held against those that stay.
Outcome Runtime::restore_libraries(std::span<const std::string> codes, Restore how) {
  Libraries restored;
  Index names(host_.name_seed());
  const auto add = [&](const std::string& code) -> Outcome {
    HEARTH_TRY(std::unique_ptr<Library> library, make_library(code, milliseconds(0)));
    const std::string key = library->about.name;
    const std::string taken = taken_name(names, *library);
    if (taken.empty() && !restored.contains(key)) {
      add_to(names, *library);
      restored.emplace(key, std::move(library));
      return {};
    }
    drop(*library);
    if (restored.contains(key)) return refuse("ERR Library '" + key + "' already exists");
    return refuse("ERR Function " + taken + " already exists");
  };
  const auto fits = [&]() -> Outcome {
    if (how == Restore::kFlush) return {};
    for (const auto& [key, library] : restored) {
      const auto old = libraries_.find(key);
      if (old == libraries_.end()) continue;
      if (how == Restore::kAppend) return refuse("ERR Library " + key + " already exists");
    }
    for (const auto& [key, library] : restored) {
      for (const Function& f : library->functions) {
        const auto at = functions_.find(lower_case(f.about.name));
        if (at != functions_.end() && !restored.contains(at->second->library))
          return refuse("ERR Function " + f.about.name + " already exists");
      }
    }
    return {};
  };
  Outcome outcome;
  for (const std::string& code : codes) {
    outcome = add(code);
    if (!outcome) break;
  }
  if (outcome) outcome = fits();
  if (!outcome) {
    for (const auto& [key, library] : restored) drop(*library);
    return outcome;
  }
  if (how == Restore::kFlush) {
    while (!libraries_.empty()) remove(libraries_.begin());
  }
  for (auto& [key, library] : restored) {
    if (const auto old = libraries_.find(key); old != libraries_.end()) remove(old);
  }
  for (auto& [key, library] : restored) install(std::move(library));
  return {};
}

bool Runtime::delete_library(std::string_view name) {
  const auto at = libraries_.find(std::string(name));
  if (at == libraries_.end()) return false;
  remove(at);
  return true;
}

void Runtime::flush_libraries() {
  functions_.clear();
  libraries_.clear();
  library_bytes_ = 0;
  function_vm_.reset();
}

void Runtime::for_each_library(const std::function<void(const ScriptLibrary&)>& fn) const {
  for (const auto& [name, library] : libraries_) fn(library->about);
}

}  // namespace hearth::script
