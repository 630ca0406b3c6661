# A formula for Homebrew, for a tap of your own: Formula/tokenform.rb. The values are
# filled in by examples/release/manifests.
class Tokenform < Formula
  desc "Spotify tokens, declared in a file and kept valid"
  homepage "${homepage}"
  version "${version}"

  on_macos do
    on_arm do
      url "${downloads}/tokenform_${version}_darwin_arm64.tar.gz"
      sha256 "${sha256 darwin_arm64.tar.gz}"
    end
    on_intel do
      url "${downloads}/tokenform_${version}_darwin_amd64.tar.gz"
      sha256 "${sha256 darwin_amd64.tar.gz}"
    end
  end

  on_linux do
    on_arm do
      url "${downloads}/tokenform_${version}_linux_arm64.tar.gz"
      sha256 "${sha256 linux_arm64.tar.gz}"
    end
    on_intel do
      url "${downloads}/tokenform_${version}_linux_amd64.tar.gz"
      sha256 "${sha256 linux_amd64.tar.gz}"
    end
  end

  def install
    bin.install "tokenform"
    man1.install Dir["man/*.1.gz"]
    man7.install Dir["man/*.7.gz"]
    bash_completion.install "completions/tokenform.bash" => "tokenform"
    fish_completion.install "completions/tokenform.fish"
    zsh_completion.install "completions/_tokenform"
  end

  test do
    assert_match "tokenform v", shell_output("#{bin}/tokenform version")
  end
end
