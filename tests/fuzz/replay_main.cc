// Replays a corpus without libFuzzer: every file, every file cut at each of its first bytes, and
// every file with single bytes changed by a seeded generator. Large files get fewer rounds.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "src/base/random.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void feed(const std::string& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: %s CORPUS_DIRECTORY\n", argv[0]), 2;
  std::size_t files = 0;
  hearth::Rng rng(1);
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    feed(bytes);
    for (std::size_t cut = 0; cut < bytes.size() && cut < 512; ++cut) feed(bytes.substr(0, cut));
    const int rounds = bytes.size() > 1024 ? 100 : 1000;
    for (int i = 0; i < rounds && !bytes.empty(); ++i) {
      std::string changed = bytes;
      for (std::uint64_t n = 1 + rng.below(4); n > 0; --n) {
        changed[rng.below(changed.size())] = static_cast<char>(rng.next());
      }
      feed(changed);
    }
    ++files;
  }
  if (files == 0) return std::fprintf(stderr, "%s: the corpus is empty\n", argv[1]), 1;
  std::printf("%zu corpus files replayed\n", files);
  return 0;
}
