"""The two models of sentences: their losses by hand, how they write, and that they learn."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from kgan.datasets.data import Data
from kgan.datasets.texts import Vocabulary
from kgan.errors import UsageError
from kgan.models.sentence_vae import SentenceVAE
from kgan.models.sentences import SentenceGAN
from kgan.networks import sequences

CHARACTERS = "abcdef,"
SYMBOLS = len(CHARACTERS) + 2
SHAPE = (6, SYMBOLS)


def gan(objective="wasserstein", penalty="gradient-penalty", width=16, **options):
    generator = sequences.sequence_generator(SHAPE, 4, width=width, depth=2, seed=1)
    discriminator = sequences.sequence_discriminator(SHAPE, width=width, depth=2, seed=2)
    return SentenceGAN(generator, discriminator, objective, penalty, characters=CHARACTERS, **options)


def vae(width=12, latent_dim=3, **options):
    networks = sequences.sequence_encoder, sequences.sequence_decoder
    encoder, decoder = (build(SHAPE, latent_dim, width=width, seed=k) for k, build in enumerate(networks))
    return SentenceVAE(encoder, decoder, characters=CHARACTERS, **options)


def read(found) -> list[str]:
    return [text.decode() for text in found["sentences"].numpy()]


def test_real_sentences_are_one_hot_to_the_critic():
    model = gan(penalty=None)
    ids = np.random.default_rng(0).integers(0, SYMBOLS, (5, 6)).astype(np.int32)
    proposal = model.propose(tf.constant(ids), tf.constant([0, 0], tf.int64), training=True)
    loss, _ = model.discriminator_loss(tf.constant(ids), proposal, tf.constant([0, 0], tf.int64), training=True)
    real, fake = model.discriminator(np.eye(SYMBOLS, dtype=np.float32)[ids]), model.discriminator(proposal)
    assert float(loss) == pytest.approx(float(np.mean(fake) - np.mean(real)), rel=1e-5)
    np.testing.assert_allclose(np.sum(proposal, axis=2), 1, rtol=1e-5)
    text = Vocabulary(CHARACTERS).decode(ids[:1])
    score = model.signatures()["score"].function(sentences=text)["scores"]
    shown = Vocabulary(CHARACTERS).encode(text, 6).numpy()[0]
    assert float(score[0]) == pytest.approx(float(model.discriminator(np.eye(SYMBOLS, dtype=np.float32)[shown][None])))


def test_what_is_decoded_is_the_likeliest_but_never_unknown():
    model = gan()
    model.generator.layers[-2].set_weights([np.zeros([16, SYMBOLS]), np.array([0, 9, 0, 3, 1, 0, 0, 0, 0.0])])
    assert read(model.signatures()["decode"].function(latents=tf.zeros([2, 4]))) == ["bbbbbb"] * 2
    model.generator.layers[-2].set_weights([np.zeros([16, SYMBOLS]), np.array([9, 0, 0, 3, 1, 0, 0, 0, 0.0])])
    assert read(model.signatures()["decode"].function(latents=tf.zeros([2, 4]))) == [""] * 2


@pytest.mark.parametrize("build", [gan, vae], ids=["gan", "vae"])
def test_an_untrained_model_writes_in_its_form(build):
    model = build(form="□□,□□,")
    sentences = read(model.signatures()["generate"].function(seed=tf.constant(1, tf.int64), count=200))
    assert all(re.fullmatch("[a-f]{2},[a-f]{2},", sentence) for sentence in sentences)
    assert len(set(sentences)) > 20
    again = type(model).from_config(model.get_config())
    assert again.form == model.form and np.array_equal(again.writable, model.writable)


def test_a_vocabulary_of_another_size_is_one_sentence():
    said = "for 9 symbols but the vocabulary has 5, its two marks included: build"
    with pytest.raises(UsageError, match=f"the networks are {said}"):
        gan_of = gan()
        SentenceGAN(gan_of.generator, gan_of.discriminator, characters="abc")
    whole = vae()
    with pytest.raises(UsageError, match=f"the decoder is {said}"):
        SentenceVAE(whole.encoder, whole.decoder, characters="abc")
    with pytest.raises(UsageError, match="codes have 2 numbers but the decoder takes 3"):
        SentenceVAE(vae(latent_dim=2).encoder, whole.decoder, characters=CHARACTERS)
    with pytest.raises(UsageError, match="word_dropout is 1.5"):
        vae(word_dropout=1.5)


def test_the_bound_by_hand():
    """Cross-entropy up to the first padding, plus KL(N(m, s^2) || N(0, 1)), in nats a sentence."""
    model = vae(annealing_updates=10)
    random = np.random.default_rng(0)
    ids = np.array([[2, 3, 0, 0, 0, 0], [2, 3, 4, 5, 6, 7]], np.int32)
    proposal = {
        "mean": random.normal(size=(2, 3)), "log_variance": random.normal(size=(2, 3)),
        "logits": random.normal(size=(2, *SHAPE)),
    }  # fmt: skip
    logits = proposal["logits"]
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    counted = [(0, 0), (0, 1), (0, 2)] + [(1, t) for t in range(6)]
    cross_entropy = -sum(logs[n, t, ids[n, t]] for n, t in counted) / 2
    mean, deviation = proposal["mean"], np.exp(proposal["log_variance"] / 2)
    divergence = (mean**2 / 2 + deviation**2 / 2 - 0.5 - np.log(deviation)).sum() / 2
    proposal = {name: tf.constant(value, tf.float32) for name, value in proposal.items()}

    def loss(training):
        found, reported = model.autoencoder_loss(tf.constant(ids), proposal, None, training)
        return float(found), {name: float(value) for name, value in reported.items()}

    found, reported = loss(training=False)
    assert found == pytest.approx(cross_entropy + divergence, rel=1e-5)
    assert reported["reconstruction"] == pytest.approx(cross_entropy, rel=1e-5)
    assert reported["divergence"] == pytest.approx(divergence, rel=1e-5)
    for updates, weight in (0, 0.0), (3, 0.3), (10, 1.0), (99, 1.0):
        model.updates.assign(updates)
        found, reported = loss(training=True)
        assert reported["divergence_weight"] == pytest.approx(weight)
        assert found == pytest.approx(cross_entropy + weight * divergence, rel=1e-5)
    model.free_nats = 50.0  # the divergence is below: training pays for them in vain, the bound does not change
    assert divergence < 50
    assert loss(training=True)[0] == pytest.approx(cross_entropy + 50, rel=1e-5)
    assert loss(training=False)[0] == pytest.approx(cross_entropy + divergence, rel=1e-5)


def test_word_dropout_hides_its_share_of_what_the_decoder_is_shown():
    ids = tf.constant(np.random.default_rng(0).integers(2, SYMBOLS, (500, 6)), tf.int32)
    shown = {}
    for share in (0.0, 0.3, 1.0):
        model = vae(word_dropout=share)
        model.decoder = lambda inputs, training, share=share: shown.setdefault((share, training), inputs[1].numpy())
        for training in (True, False):
            model.propose(ids, tf.constant([0, 5], tf.int64), training)
    before = np.pad(ids[:, :-1], [[0, 0], [1, 0]])
    for share in (0.0, 0.3, 1.0):
        assert np.array_equal(shown[share, False], before)
        hidden = shown[share, True] == 1
        assert hidden.mean() == pytest.approx(share, abs=0.03)
        assert np.array_equal(shown[share, True][~hidden], before[~hidden])


def test_it_writes_what_the_decoder_finds_likeliest():
    """Symbol by symbol through the cell is what the whole decoder says of what has been written so far."""
    model = vae()
    model.decoder.set_weights([3 * weight for weight in model.decoder.get_weights()])
    codes = tf.constant(np.random.default_rng(1).normal(size=(20, 3)), tf.float32)
    written = model.write(codes).numpy()
    before = np.pad(written[:, :-1], [[0, 0], [1, 0]])
    logits = model.decoder([codes, tf.constant(before)]).numpy()
    logits[..., 1] = -np.inf
    assert np.array_equal(written, logits.argmax(-1))
    assert len(np.unique(written)) > 3


def test_what_is_drawn_follows_the_decoders_probabilities():
    model = vae()
    count = 4000
    drawn = model.write(tf.ones([count, 3]), tf.constant([0, 0], tf.int64)).numpy()
    logits = model.decoder([tf.ones([1, 3]), tf.zeros([1, 6], tf.int32)]).numpy()[0, 0]
    logits[1] = -np.inf
    shares = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(np.bincount(drawn[:, 0], minlength=SYMBOLS) / count, shares, atol=0.03)
    assert not (drawn == 1).any()
    again, other = (model.write(tf.ones([count, 3]), tf.constant([s, 0], tf.int64)).numpy() for s in (0, 1))
    assert np.array_equal(drawn, again) and not np.array_equal(drawn, other)


def test_the_gan_learns_where_the_commas_are():
    """Two letters and a comma, twice, of four letters: a random comma is right once in nine symbols."""
    ids = np.random.default_rng(0).integers(2, 6, (2000, 6)).astype(np.int32)
    ids[:, [2, 5]] = 8
    model = gan(critic_steps=3)

    def adam():
        return keras.optimizers.Adam(2e-3, beta_1=0.5, beta_2=0.9)

    model.compile(generator_optimizer=adam(), discriminator_optimizer=adam())
    before = shape_share(model)
    model.fit(Data("commas", "train", ids).batches(96, steps=150), verbose=0, shuffle=False)
    assert before < 0.3 and shape_share(model) > 0.9


def shape_share(model) -> float:
    sentences = read(model.signatures()["generate"].function(seed=tf.constant(1, tf.int64), count=200))
    return np.mean([s[2:3] == s[5:6] == "," and s.count(",") == 2 and len(s) == 6 for s in sentences])


def test_the_vae_keeps_sentences_in_its_codes_and_interpolates():
    sentences = ["abcabc", "defdef", "aaaaaa", "fedcba"]
    ids = Vocabulary(CHARACTERS).encode(tf.constant(sentences), 6).numpy()
    model = vae(width=24, word_dropout=0.5, annealing_updates=400)
    model.compile(autoencoder_optimizer=keras.optimizers.Adam(1e-2))
    answers = model.signatures()
    chance = read(answers["decode"].function(**answers["encode"].function(sentences=tf.constant(sentences))))
    assert chance != sentences
    model.fit(Data("four", "train", ids).batches(32, steps=200), verbose=0, shuffle=False)
    codes = answers["encode"].function(sentences=tf.constant(sentences))["latents"]
    assert read(answers["decode"].function(latents=codes)) == sentences
    way = codes[0] + tf.linspace(0.0, 1.0, 9)[:, None] * (codes[1] - codes[0])
    between = read(answers["decode"].function(latents=way))
    assert between[0] == sentences[0] and between[-1] == sentences[1]
    drawn = read(answers["generate"].function(seed=tf.constant(0, tf.int64), count=50))
    assert np.mean([sentence in sentences for sentence in drawn]) > 0.3  # 1 in 100,000 by chance
