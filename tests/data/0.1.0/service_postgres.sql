--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: activations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.activations (
    number integer NOT NULL,
    model integer NOT NULL,
    at bigint NOT NULL,
    reason character varying(20) NOT NULL
);


--
-- Name: activations_number_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.activations_number_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: activations_number_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.activations_number_seq OWNED BY public.activations.number;


--
-- Name: alembic_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);


--
-- Name: facts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.facts (
    name character varying(40) NOT NULL,
    value text NOT NULL
);


--
-- Name: items; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.items (
    item text NOT NULL,
    place integer NOT NULL,
    title text,
    searched text NOT NULL
);


--
-- Name: jobs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.jobs (
    number integer NOT NULL,
    slot character varying(10),
    state character varying(10) NOT NULL,
    spec text NOT NULL,
    started_at bigint NOT NULL,
    seen_at bigint NOT NULL,
    ended_at bigint,
    label text NOT NULL,
    done integer NOT NULL,
    total integer NOT NULL,
    note text NOT NULL,
    cancel boolean NOT NULL,
    model integer
);


--
-- Name: jobs_number_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.jobs_number_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: jobs_number_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.jobs_number_seq OWNED BY public.jobs.number;


--
-- Name: keys; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.keys (
    number integer NOT NULL,
    sha256 character varying(64) NOT NULL,
    name text NOT NULL,
    role character varying(10) NOT NULL,
    made_at bigint NOT NULL,
    revoked_at bigint
);


--
-- Name: keys_number_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.keys_number_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: keys_number_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.keys_number_seq OWNED BY public.keys.number;


--
-- Name: models; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.models (
    number integer NOT NULL,
    file text NOT NULL,
    sha256 character varying(64) NOT NULL,
    spec text NOT NULL,
    origin character varying(10) NOT NULL,
    made_at bigint NOT NULL,
    ratings bigint NOT NULL,
    checks text NOT NULL
);


--
-- Name: models_number_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.models_number_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: models_number_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.models_number_seq OWNED BY public.models.number;


--
-- Name: people; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.people (
    "user" text NOT NULL,
    version bigint NOT NULL
);


--
-- Name: ratings; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.ratings (
    "user" text NOT NULL,
    item text NOT NULL,
    value double precision NOT NULL,
    rated_at bigint,
    shown double precision
);


--
-- Name: sessions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.sessions (
    sha256 character varying(64) NOT NULL,
    key integer NOT NULL,
    made_at bigint NOT NULL,
    ends_at bigint NOT NULL
);


--
-- Name: visitors; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.visitors (
    "user" text NOT NULL,
    sha256 character varying(64) NOT NULL,
    made_at bigint NOT NULL,
    skipped text NOT NULL,
    shown text NOT NULL
);


--
-- Name: activations number; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.activations ALTER COLUMN number SET DEFAULT nextval('public.activations_number_seq'::regclass);


--
-- Name: jobs number; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.jobs ALTER COLUMN number SET DEFAULT nextval('public.jobs_number_seq'::regclass);


--
-- Name: keys number; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.keys ALTER COLUMN number SET DEFAULT nextval('public.keys_number_seq'::regclass);


--
-- Name: models number; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.models ALTER COLUMN number SET DEFAULT nextval('public.models_number_seq'::regclass);


--
-- Data for Name: activations; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.activations VALUES
	(4, 1, 1796082942, 'chosen'),
	(5, 1, 1796082942, 'chosen'),
	(6, 4, 1796082943, 'retrained'),
	(7, 1, 1796082944, 'chosen'),
	(8, 5, 1796082945, 'retrained'),
	(9, 1, 1796082945, 'chosen'),
	(10, 6, 1796082946, 'retrained'),
	(11, 2, 1796082948, 'chosen'),
	(12, 5, 1796082948, 'chosen'),
	(13, 6, 1796082948, 'chosen'),
	(14, 5, 1796082948, 'rolled back');


--
-- Data for Name: alembic_version; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.alembic_version VALUES
	('0001');


--
-- Data for Name: facts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.facts VALUES
	('user_kind', 'text'),
	('item_kind', 'text'),
	('low', '0.5'),
	('high', '5.0'),
	('declared', 'False'),
	('name', 'tales.csv'),
	('step', '0.5'),
	('erasures', '1'),
	('page_secret', '284b639cd6059dfb0ee305d53d9a17d7ac1b11c6e71db254bbe30f4e640dd6c2'),
	('audit', '{"at": 1796082948, "facts": {"ratings": 595, "users": 51, "items": 24}, "quantiles": {"ratings_a_user": {"0": 3, "10": 9, "25": 10, "50": 12, "75": 13, "90": 14, "99": 24, "100": 24}, "ratings_an_item": {"0": 17, "10": 19, "25": 20, "50": 25, "75": 29, "90": 31, "99": 33, "100": 33}}, "warnings": 0, "notes": 2, "findings": [{"kind": "burst", "severity": "note", "what": "24 ratings (4 %) by 1 user came 10 or more in one second; at most 24, by user \"\u00fcser-48\" at 2021-01-07 06:13:20.", "count": 24, "effect": "They have no order in time, so what came first cannot be learned from them.", "mend": "", "where": ["user \"\u00fcser-48\": 24 at 2021-01-07 06:13:20"]}, {"kind": "constant_users", "severity": "note", "what": "1 user gave (nearly) the same rating 10 times or more (1 user exactly), 24 ratings in all.", "count": 1, "effect": "They tell a model nothing about items, and make its error look smaller than it is for others.", "mend": "where=\"user <> ''\u00fcser-48''\" leaves those 24 rows out", "where": ["user \"\u00fcser-48\": 5, 24 times"]}]}');


--
-- Data for Name: items; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.items VALUES
	('item 0', 0, 'Tale Nr. 0: Käse, part 0', 'item 0
tale nr. 0: käse, part 0'),
	('item 1', 1, 'Tale Nr. 1: Käse, part 1', 'item 1
tale nr. 1: käse, part 1'),
	('item 10', 2, 'Tale Nr. 10: Käse, part 1', 'item 10
tale nr. 10: käse, part 1'),
	('item 11', 3, 'Tale Nr. 11: Käse, part 2', 'item 11
tale nr. 11: käse, part 2'),
	('item 12', 4, 'Tale Nr. 12: Käse, part 0', 'item 12
tale nr. 12: käse, part 0'),
	('item 13', 5, 'Tale Nr. 13: Käse, part 1', 'item 13
tale nr. 13: käse, part 1'),
	('item 14', 6, 'Tale Nr. 14: Käse, part 2', 'item 14
tale nr. 14: käse, part 2'),
	('item 15', 7, 'Tale Nr. 15: Käse, part 0', 'item 15
tale nr. 15: käse, part 0'),
	('item 16', 8, 'Tale Nr. 16: Käse, part 1', 'item 16
tale nr. 16: käse, part 1'),
	('item 17', 9, 'Tale Nr. 17: Käse, part 2', 'item 17
tale nr. 17: käse, part 2'),
	('item 18', 10, 'Tale Nr. 18: Käse, part 0', 'item 18
tale nr. 18: käse, part 0'),
	('item 19', 11, 'Tale Nr. 19: Käse, part 1', 'item 19
tale nr. 19: käse, part 1'),
	('item 2', 12, 'Tale Nr. 2: Käse, part 2', 'item 2
tale nr. 2: käse, part 2'),
	('item 20', 13, 'Tale Nr. 20: Käse, part 2', 'item 20
tale nr. 20: käse, part 2'),
	('item 21', 14, 'Tale Nr. 21: Käse, part 0', 'item 21
tale nr. 21: käse, part 0'),
	('item 22', 15, 'Tale Nr. 22: Käse, part 1', 'item 22
tale nr. 22: käse, part 1'),
	('item 23', 16, 'Tale Nr. 23: Käse, part 2', 'item 23
tale nr. 23: käse, part 2'),
	('item 24', 17, 'Tale Nr. 24: Käse, part 0', 'item 24
tale nr. 24: käse, part 0'),
	('item 25', 18, 'Tale Nr. 25: Käse, part 1', 'item 25
tale nr. 25: käse, part 1'),
	('item 3', 19, 'Tale Nr. 3: Käse, part 0', 'item 3
tale nr. 3: käse, part 0'),
	('item 4', 20, 'Tale Nr. 4: Käse, part 1', 'item 4
tale nr. 4: käse, part 1'),
	('item 5', 21, 'Tale Nr. 5: Käse, part 2', 'item 5
tale nr. 5: käse, part 2'),
	('item 6', 22, 'Tale Nr. 6: Käse, part 0', 'item 6
tale nr. 6: käse, part 0'),
	('item 7', 23, 'Tale Nr. 7: Käse, part 1', 'item 7
tale nr. 7: käse, part 1'),
	('item 8', 24, 'Tale Nr. 8: Käse, part 2', 'item 8
tale nr. 8: käse, part 2'),
	('item 9', 25, 'Tale Nr. 9: Käse, part 0', 'item 9
tale nr. 9: käse, part 0');


--
-- Data for Name: jobs; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.jobs VALUES
	(1, NULL, 'done', '{"model": "ItemKNN", "params": {"clip": true, "neighbors": 40, "min_neighbors": 1, "stored": 12, "similarity": "pearson_bias", "norms": "common", "standardize": true, "shrinkage": 30.0, "min_support": 1, "significance": 5, "negative": false, "centring": "bias", "damping": 0.2, "user_damping": 5.0, "item_damping": 5.0, "bias_epochs": null, "threads": null}}', 1796082942, 1796082942, 1796082942, 'starting', 0, 0, 'RMSE 0.633 on 60 held-out ratings; left out, for their predictions were shown: 1', false, NULL),
	(2, NULL, 'done', '{"model": "ALS", "params": {"clip": true, "factors": 4, "regularization": 0.03, "damping": 5.0, "biases": false, "bias_damping": 3.0, "seed": 0, "threads": null, "epochs": 10, "growth": 0.15, "non_negative": false, "solver": "cg", "steps": 2, "initial_std": 0.2}}', 1796082942, 1796082942, 1796082943, 'starting', 0, 0, 'RMSE 0.8823 on 60 held-out ratings; left out, for their predictions were shown: 1', false, 4),
	(3, NULL, 'refused', '{"model": "EASE", "params": {"clip": true, "values": "binary", "regularization": 20.0, "user_damping": 5.0, "item_damping": 5.0, "threads": null}}', 1796082943, 1796082943, 1796082944, 'starting', 0, 0, 'the new model is not good enough: RMSE 1.01 on 60 held-out ratings; the active model''s settings: 0.8823', false, NULL),
	(4, NULL, 'failed', '{"model": "SVD", "params": {"clip": true, "factors": 4, "biased": true, "epochs": 3, "learning_rate": 1.0, "regularization": 0.0, "initial_std": 100.0, "schedule": "linear", "early_stopping": 0.0, "patience": 5, "seed": 0, "threads": null}}', 1796082944, 1796082944, 1796082944, 'starting', 0, 0, 'SVD(factors=4, epochs=3, learning_rate=1.0, regularization=0.0, initial_std=100.0) does not settle on finite numbers: user_bias_ is not finite', false, NULL),
	(5, NULL, 'done', '{"model": "SVD", "params": {"clip": true, "factors": 4, "biased": true, "epochs": 80, "learning_rate": 0.02, "regularization": 0.1, "initial_std": 0.2, "schedule": "linear", "early_stopping": 0.1, "patience": 30, "seed": 0, "threads": null}}', 1796082944, 1796082944, 1796082945, 'starting', 0, 0, 'RMSE 0.5687 on 60 held-out ratings; left out, for their predictions were shown: 1', false, 5),
	(6, NULL, 'done', '{"model": "Blend", "params": {"clip": true, "models": ["Bias", {"model": "SVD", "params": {"clip": true, "factors": 4, "biased": true, "epochs": 30, "learning_rate": 0.02, "regularization": 0.1, "initial_std": 0.2, "schedule": "linear", "early_stopping": 0.2, "patience": 5, "seed": 0, "threads": null}}, {"model": "ALS", "params": {"clip": true, "factors": 4, "regularization": 0.03, "damping": 5.0, "biases": false, "bias_damping": 3.0, "seed": 0, "threads": null, "epochs": 10, "growth": 0.15, "non_negative": false, "solver": "cg", "steps": 2, "initial_std": 0.2}}], "folds": 3, "support": true, "regularization": 10.0, "seed": 0}}', 1796082945, 1796082945, 1796082946, 'starting', 0, 0, 'RMSE 0.7183 on 60 held-out ratings; left out, for their predictions were shown: 1', false, 6),
	(7, NULL, 'cancelled', '{"model": "SVD", "params": {"clip": true, "factors": 64, "biased": false, "epochs": 1000000, "learning_rate": 0.02, "regularization": 0.04, "initial_std": 0.001, "schedule": "linear", "early_stopping": 0.0, "patience": 5, "seed": 0, "threads": null}}', 1796082946, 1796082947, 1796082947, 'SVD', 8546, 1000000, 'stopped; the active model goes on serving', true, NULL);


--
-- Data for Name: keys; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.keys VALUES
	(1, 'f201eb3f34f22d100818ff98a349c846c6edc9a9886ace7012890ca76553d3aa', 'first', 'admin', 1796082941, NULL),
	(2, '11e9f47ce55716ad1b17ed08e60b379587f3a39baf9fa2991c58d10c779b8960', 'a read key', 'read', 1796082942, NULL),
	(3, '8f8303184224e7375642e6fb25bb99c6f4470c8417f252e2fcfdd535d9cee97c', 'a write key', 'write', 1796082942, NULL),
	(4, '76df7c78755497a5c6a939d315d86ed374e609e6b5602e7aebb65fd95ba87df2', 'revoked', 'admin', 1796082942, 1796082942);


--
-- Data for Name: models; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.models VALUES
	(1, 'model-77b0c09fa850e733.foretaste', 'd12c246a6166fc76d523a7ff94823817ca6e5450e7963a2e7fd51705596ca2fe', '{"model": "GlobalMean", "params": {"clip": true}}', 'trained', 1796082941, 602, '{"held_out": 61, "rmse": 0.981637210953281, "rmse_of_the_mean": 0.981637210953281}'),
	(2, 'model-7ff26684015b1faf.foretaste', 'b78b8bb91da4679de7505028b9e13e608cb127e2af986fdf2edb17eb69b3d522', '{"model": "ALS", "params": {"clip": true, "factors": 3, "regularization": 0.03, "damping": 5.0, "biases": false, "bias_damping": 3.0, "seed": 0, "threads": null, "epochs": 10, "growth": 0.15, "non_negative": false, "solver": "cg", "steps": 2, "initial_std": 0.2}}', 'uploaded', 1796082942, 602, '{"compared_with": 592, "rmse": 0.7902646415202874, "rmse_of_the_mean": 1.155374526977539, "items_known": 24}'),
	(4, 'model-c1afc8b2368cf539.foretaste', '48a54a86cb637f29ff9d8af56209f83c83ad5dc7258a97037ccfa0f65b8482c8', '{"model": "ALS", "params": {"clip": true, "factors": 4, "regularization": 0.03, "damping": 5.0, "biases": false, "bias_damping": 3.0, "seed": 0, "threads": null, "epochs": 10, "growth": 0.15, "non_negative": false, "solver": "cg", "steps": 2, "initial_std": 0.2}}', 'trained', 1796082943, 592, '{"held_out": 60, "rmse": 0.8822564825720011, "rmse_of_the_mean": 1.0339945471841927, "rmse_of_the_active": 1.0339945471841927}'),
	(5, 'model-c26ca9198d9985ad.foretaste', '78d972a29952091e0509d9036725ad922d7138e254149a040262945b326b765d', '{"model": "SVD", "params": {"clip": true, "factors": 4, "biased": true, "epochs": 80, "learning_rate": 0.02, "regularization": 0.1, "initial_std": 0.2, "schedule": "linear", "early_stopping": 0.1, "patience": 30, "seed": 0, "threads": null}}', 'trained', 1796082945, 592, '{"held_out": 60, "rmse": 0.5687486941968555, "rmse_of_the_mean": 1.0339945471841927, "rmse_of_the_active": 1.0339945471841927}'),
	(6, 'model-f997fa2ac5a1cdf0.foretaste', 'a82063652a75470ae391b71255575c348e1bbb4d12892d56e26b4137438881d9', '{"model": "Blend", "params": {"clip": true, "models": ["Bias", {"model": "SVD", "params": {"clip": true, "factors": 4, "biased": true, "epochs": 30, "learning_rate": 0.02, "regularization": 0.1, "initial_std": 0.2, "schedule": "linear", "early_stopping": 0.2, "patience": 5, "seed": 0, "threads": null}}, {"model": "ALS", "params": {"clip": true, "factors": 4, "regularization": 0.03, "damping": 5.0, "biases": false, "bias_damping": 3.0, "seed": 0, "threads": null, "epochs": 10, "growth": 0.15, "non_negative": false, "solver": "cg", "steps": 2, "initial_std": 0.2}}], "folds": 3, "support": true, "regularization": 10.0, "seed": 0}}', 'trained', 1796082946, 592, '{"held_out": 60, "rmse": 0.7183335749276958, "rmse_of_the_mean": 1.0339945471841927, "rmse_of_the_active": 1.0339945471841927}');


--
-- Data for Name: people; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.people VALUES
	('newcomer', 1796082942167341405),
	('üser-0', 1796082942171681641),
	('visitor-4d783b9c90895928309b7b4238d1d338', 1796082948374682759);


--
-- Data for Name: ratings; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.ratings VALUES
	('üser-0', 'item 13', 2.5, 1601814400, NULL),
	('üser-0', 'item 16', 2, 1612441600, NULL),
	('üser-0', 'item 17', 3.5, 1617107200, NULL),
	('üser-0', 'item 19', 3, 1625056000, NULL),
	('üser-0', 'item 20', 4, 1612441600, NULL),
	('üser-0', 'item 22', 2.5, 1604492800, NULL),
	('üser-0', 'item 23', 2.5, 1608553600, NULL),
	('üser-0', 'item 6', 3, 1613046400, NULL),
	('üser-0', 'item 7', 2.5, 1615552000, NULL),
	('üser-1', 'item 0', 0.5, 1617971200, NULL),
	('üser-1', 'item 1', 5, 1611232000, NULL),
	('üser-1', 'item 11', 1, 1620390400, NULL),
	('üser-1', 'item 12', 2.5, 1620736000, NULL),
	('üser-1', 'item 13', 2, 1622464000, NULL),
	('üser-1', 'item 15', 1, 1606480000, NULL),
	('üser-1', 'item 16', 1, 1623241600, NULL),
	('üser-1', 'item 17', 3.5, 1607257600, NULL),
	('üser-1', 'item 21', 5, 1620995200, NULL),
	('üser-1', 'item 23', 2, 1609504000, NULL),
	('üser-1', 'item 4', 5, 1623241600, NULL),
	('üser-1', 'item 5', 3.5, 1615897600, NULL),
	('üser-1', 'item 7', 2, 1617366400, NULL),
	('üser-1', 'item 9', 3, 1608035200, NULL),
	('üser-10', 'item 1', 3, 1612614400, NULL),
	('üser-10', 'item 10', 4.5, 1616070400, NULL),
	('üser-10', 'item 11', 0.5, 1605270400, NULL),
	('üser-10', 'item 15', 1, 1624710400, NULL),
	('üser-10', 'item 16', 2, 1615984000, NULL),
	('üser-10', 'item 19', 3, 1613996800, NULL),
	('üser-10', 'item 2', 3.5, 1620908800, NULL),
	('üser-10', 'item 23', 2.5, 1622723200, NULL),
	('üser-10', 'item 3', 4.5, 1618576000, NULL),
	('üser-10', 'item 6', 4.5, 1619440000, NULL),
	('üser-10', 'item 7', 2, 1616329600, NULL),
	('üser-11', 'item 0', 4, 1600000000, NULL),
	('üser-11', 'item 11', 3.5, 1617539200, NULL),
	('üser-11', 'item 16', 2.5, 1607948800, NULL),
	('üser-11', 'item 17', 3, 1607862400, NULL),
	('üser-11', 'item 18', 3.5, 1601555200, NULL),
	('üser-11', 'item 20', 4, 1610886400, NULL),
	('üser-11', 'item 22', 3, 1603456000, NULL),
	('üser-11', 'item 23', 4, 1611577600, NULL),
	('üser-11', 'item 3', 2.5, 1603456000, NULL),
	('üser-11', 'item 4', 3.5, 1625056000, NULL),
	('üser-11', 'item 6', 3, 1613824000, NULL),
	('üser-11', 'item 7', 4, 1616329600, NULL),
	('üser-11', 'item 9', 3.5, 1601036800, NULL),
	('üser-12', 'item 14', 2.5, 1600691200, NULL),
	('üser-12', 'item 15', 1, 1616761600, NULL),
	('üser-12', 'item 16', 1.5, 1606480000, NULL),
	('üser-12', 'item 17', 2.5, 1616502400, NULL),
	('üser-12', 'item 19', 3.5, 1624451200, NULL),
	('üser-12', 'item 2', 2.5, 1605961600, NULL),
	('üser-12', 'item 21', 4, 1604492800, NULL),
	('üser-12', 'item 23', 2, 1613737600, NULL),
	('üser-13', 'item 1', 3.5, 1606998400, NULL),
	('üser-13', 'item 10', 4, 1609158400, NULL),
	('üser-13', 'item 14', 2.5, 1620304000, NULL),
	('üser-13', 'item 16', 2, 1601123200, NULL),
	('üser-13', 'item 17', 4, 1606480000, NULL),
	('üser-13', 'item 19', 2.5, 1622032000, NULL),
	('üser-13', 'item 2', 3, 1603974400, NULL),
	('üser-13', 'item 21', 3, 1608899200, NULL),
	('üser-13', 'item 23', 1.5, 1617107200, NULL),
	('üser-13', 'item 3', 3.5, 1619785600, NULL),
	('üser-13', 'item 7', 2, 1613046400, NULL),
	('üser-13', 'item 8', 2, 1618835200, NULL),
	('üser-13', 'item 9', 3.5, 1604924800, NULL),
	('üser-14', 'item 1', 4, 1614169600, NULL),
	('üser-14', 'item 11', 3, 1608467200, NULL),
	('üser-14', 'item 13', 3.5, 1603024000, NULL),
	('üser-14', 'item 14', 3, 1624364800, NULL),
	('üser-14', 'item 17', 2, 1611059200, NULL),
	('üser-14', 'item 18', 2.5, 1614688000, NULL),
	('üser-14', 'item 2', 4, 1617884800, NULL),
	('üser-14', 'item 20', 2.5, 1621168000, NULL),
	('üser-14', 'item 21', 3.5, 1605875200, NULL),
	('üser-14', 'item 22', 3, 1620649600, NULL),
	('üser-14', 'item 4', 2, 1617971200, NULL),
	('üser-14', 'item 5', 4, 1615465600, NULL),
	('üser-14', 'item 6', 2, 1618662400, NULL),
	('üser-14', 'item 8', 3.5, 1622204800, NULL),
	('üser-15', 'item 0', 3, 1625660800, NULL),
	('üser-15', 'item 12', 3.5, 1612700800, NULL),
	('üser-15', 'item 13', 3.5, 1615724800, NULL),
	('üser-15', 'item 15', 2.5, 1619958400, NULL),
	('üser-15', 'item 2', 4, 1604924800, NULL),
	('üser-15', 'item 22', 2.5, 1601296000, NULL),
	('üser-15', 'item 3', 2.5, 1615206400, NULL),
	('üser-15', 'item 5', 4, 1617539200, NULL),
	('üser-15', 'item 7', 3.5, 1622723200, NULL),
	('üser-15', 'item 9', 3, 1625401600, NULL),
	('üser-16', 'item 0', 4.5, 1603283200, NULL),
	('üser-16', 'item 12', 4.5, 1615379200, NULL),
	('üser-16', 'item 14', 3.5, 1604147200, NULL),
	('üser-16', 'item 15', 2.5, 1606998400, NULL),
	('üser-16', 'item 19', 4, 1610886400, NULL),
	('üser-16', 'item 21', 3, 1615897600, NULL),
	('üser-16', 'item 22', 2.5, 1606652800, NULL),
	('üser-16', 'item 23', 3.5, 1622032000, NULL),
	('üser-16', 'item 3', 4, 1625660800, NULL),
	('üser-16', 'item 7', 3.5, 1607516800, NULL),
	('üser-17', 'item 1', 1, 1607344000, NULL),
	('üser-17', 'item 10', 3.5, 1625228800, NULL),
	('üser-17', 'item 11', 4, 1613046400, NULL),
	('üser-17', 'item 16', 3, 1618230400, NULL),
	('üser-17', 'item 19', 4, 1606825600, NULL),
	('üser-17', 'item 2', 5, 1612960000, NULL),
	('üser-17', 'item 21', 1.5, 1608985600, NULL),
	('üser-17', 'item 22', 1.5, 1620217600, NULL),
	('üser-17', 'item 23', 4, 1611059200, NULL),
	('üser-17', 'item 4', 0.5, 1608035200, NULL),
	('üser-17', 'item 6', 4, 1621945600, NULL),
	('üser-17', 'item 7', 3.5, 1601641600, NULL),
	('üser-17', 'item 8', 2.5, 1625228800, NULL),
	('üser-18', 'item 1', 3, 1621513600, NULL),
	('üser-18', 'item 13', 2, 1622377600, NULL),
	('üser-18', 'item 14', 2.5, 1611491200, NULL),
	('üser-18', 'item 16', 1, 1606220800, NULL),
	('üser-18', 'item 17', 2, 1609072000, NULL),
	('üser-18', 'item 19', 2.5, 1615984000, NULL),
	('üser-18', 'item 22', 1.5, 1617625600, NULL),
	('üser-18', 'item 23', 1.5, 1620217600, NULL),
	('üser-18', 'item 3', 2.5, 1611750400, NULL),
	('üser-18', 'item 4', 3.5, 1608812800, NULL),
	('üser-18', 'item 6', 2.5, 1614083200, NULL),
	('üser-18', 'item 7', 2, 1610713600, NULL),
	('üser-18', 'item 9', 3, 1617539200, NULL),
	('üser-19', 'item 11', 3, 1624192000, NULL),
	('üser-19', 'item 13', 3.5, 1623587200, NULL),
	('üser-19', 'item 15', 3, 1602332800, NULL),
	('üser-19', 'item 17', 3, 1608121600, NULL),
	('üser-19', 'item 18', 4, 1618921600, NULL),
	('üser-19', 'item 19', 4, 1608121600, NULL),
	('üser-19', 'item 2', 4.5, 1609504000, NULL),
	('üser-19', 'item 20', 4, 1625056000, NULL),
	('üser-19', 'item 4', 4, 1616502400, NULL),
	('üser-19', 'item 5', 3, 1613305600, NULL),
	('üser-19', 'item 6', 4, 1617107200, NULL),
	('üser-19', 'item 9', 3.5, 1612787200, NULL),
	('üser-2', 'item 1', 2.5, 1611318400, NULL),
	('üser-2', 'item 10', 2.5, 1609244800, NULL),
	('üser-2', 'item 11', 4, 1607689600, NULL),
	('üser-2', 'item 12', 3.5, 1613651200, NULL),
	('üser-2', 'item 16', 2, 1604320000, NULL),
	('üser-2', 'item 17', 2, 1621340800, NULL),
	('üser-2', 'item 18', 3, 1623500800, NULL),
	('üser-2', 'item 22', 1.5, 1625401600, NULL),
	('üser-2', 'item 23', 4, 1624364800, NULL),
	('üser-2', 'item 5', 3.5, 1620304000, NULL),
	('üser-2', 'item 7', 3.5, 1611664000, NULL),
	('üser-2', 'item 9', 3, 1602678400, NULL),
	('üser-20', 'item 0', 3.5, 1618316800, NULL),
	('üser-20', 'item 11', 4, 1608553600, NULL),
	('üser-20', 'item 14', 2, 1611059200, NULL),
	('üser-20', 'item 15', 2.5, 1600604800, NULL),
	('üser-20', 'item 16', 1.5, 1622377600, NULL),
	('üser-20', 'item 17', 0.5, 1609590400, NULL),
	('üser-20', 'item 18', 2, 1606393600, NULL),
	('üser-20', 'item 19', 2, 1601468800, NULL),
	('üser-20', 'item 2', 4, 1615984000, NULL),
	('üser-20', 'item 21', 1.5, 1618489600, NULL),
	('üser-20', 'item 7', 3, 1625401600, NULL),
	('üser-21', 'item 0', 2, 1610627200, NULL),
	('üser-21', 'item 1', 5, 1622291200, NULL),
	('üser-21', 'item 10', 4, 1604838400, NULL),
	('üser-21', 'item 12', 3.5, 1604752000, NULL),
	('üser-21', 'item 14', 3, 1619872000, NULL),
	('üser-21', 'item 15', 1.5, 1617539200, NULL),
	('üser-21', 'item 18', 3.5, 1601987200, NULL),
	('üser-21', 'item 19', 3.5, 1616675200, NULL),
	('üser-21', 'item 2', 3.5, 1611577600, NULL),
	('üser-21', 'item 21', 4.5, 1608812800, NULL),
	('üser-21', 'item 22', 2.5, 1609072000, NULL),
	('üser-21', 'item 3', 3, 1605356800, NULL),
	('üser-21', 'item 5', 2.5, 1603196800, NULL),
	('üser-21', 'item 7', 2.5, 1608121600, NULL),
	('üser-21', 'item 8', 3, 1606480000, NULL),
	('üser-21', 'item 9', 3.5, 1622723200, NULL),
	('üser-22', 'item 10', 4, 1611836800, NULL),
	('üser-22', 'item 12', 3.5, 1620995200, NULL),
	('üser-22', 'item 13', 3, 1602073600, NULL),
	('üser-22', 'item 14', 3, 1612700800, NULL),
	('üser-22', 'item 15', 2.5, 1624710400, NULL),
	('üser-22', 'item 18', 4, 1608899200, NULL),
	('üser-22', 'item 2', 4, 1623241600, NULL),
	('üser-22', 'item 20', 4, 1619872000, NULL),
	('üser-22', 'item 21', 4, 1601900800, NULL),
	('üser-22', 'item 6', 3, 1617625600, NULL),
	('üser-22', 'item 7', 3, 1606480000, NULL),
	('üser-23', 'item 0', 2, 1624278400, NULL),
	('üser-23', 'item 1', 4.5, 1621772800, NULL),
	('üser-23', 'item 12', 2.5, 1612528000, NULL),
	('üser-23', 'item 13', 2.5, 1608553600, NULL),
	('üser-23', 'item 14', 2, 1621168000, NULL),
	('üser-23', 'item 15', 1, 1623846400, NULL),
	('üser-23', 'item 17', 2.5, 1601987200, NULL),
	('üser-23', 'item 20', 3.5, 1603369600, NULL),
	('üser-23', 'item 21', 3.5, 1616675200, NULL),
	('üser-23', 'item 22', 2, 1601641600, NULL),
	('üser-23', 'item 23', 2, 1606134400, NULL),
	('üser-23', 'item 4', 5, 1621513600, NULL),
	('üser-23', 'item 5', 2.5, 1600086400, NULL),
	('üser-23', 'item 6', 2, 1613824000, NULL),
	('üser-23', 'item 9', 3, 1603888000, NULL),
	('üser-24', 'item 1', 3, 1600604800, NULL),
	('üser-24', 'item 10', 3.5, 1611577600, NULL),
	('üser-24', 'item 11', 2, 1625747200, NULL),
	('üser-24', 'item 13', 3, 1615033600, NULL),
	('üser-24', 'item 14', 3, 1621772800, NULL),
	('üser-24', 'item 16', 2, 1603456000, NULL),
	('üser-24', 'item 17', 2.5, 1602419200, NULL),
	('üser-24', 'item 19', 3, 1600172800, NULL),
	('üser-24', 'item 20', 3, 1624710400, NULL),
	('üser-24', 'item 23', 3, 1604579200, NULL),
	('üser-24', 'item 4', 3, 1624624000, NULL),
	('üser-24', 'item 5', 2.5, 1600259200, NULL),
	('üser-24', 'item 8', 2.5, 1600691200, NULL),
	('üser-25', 'item 12', 3.5, 1625401600, NULL),
	('üser-25', 'item 16', 2, 1617625600, NULL),
	('üser-25', 'item 19', 3.5, 1611836800, NULL),
	('üser-25', 'item 20', 4, 1603024000, NULL),
	('üser-25', 'item 5', 1.5, 1614688000, NULL),
	('üser-25', 'item 6', 3.5, 1616156800, NULL),
	('üser-25', 'item 7', 2, 1617625600, NULL),
	('üser-25', 'item 8', 2.5, 1622982400, NULL),
	('üser-25', 'item 9', 3.5, 1611836800, NULL),
	('üser-26', 'item 0', 4.5, 1621859200, NULL),
	('üser-26', 'item 1', 1.5, 1605270400, NULL),
	('üser-26', 'item 10', 3, 1614083200, NULL),
	('üser-26', 'item 14', 2.5, 1608812800, NULL),
	('üser-26', 'item 16', 2, 1618057600, NULL),
	('üser-26', 'item 17', 2, 1617798400, NULL),
	('üser-26', 'item 19', 2.5, 1611232000, NULL),
	('üser-26', 'item 21', 1.5, 1606307200, NULL),
	('üser-26', 'item 23', 2.5, 1613564800, NULL),
	('üser-26', 'item 3', 3, 1607516800, NULL),
	('üser-26', 'item 4', 1.5, 1601555200, NULL),
	('üser-26', 'item 6', 3, 1624883200, NULL),
	('üser-26', 'item 7', 2.5, 1625228800, NULL),
	('üser-27', 'item 0', 4, 1617452800, NULL),
	('üser-27', 'item 1', 2.5, 1620822400, NULL),
	('üser-27', 'item 10', 3, 1601728000, NULL),
	('üser-27', 'item 16', 2.5, 1610195200, NULL),
	('üser-27', 'item 17', 2.5, 1625833600, NULL),
	('üser-27', 'item 19', 3.5, 1603369600, NULL),
	('üser-27', 'item 2', 5, 1618662400, NULL),
	('üser-27', 'item 20', 3, 1604147200, NULL),
	('üser-27', 'item 21', 2.5, 1619267200, NULL),
	('üser-27', 'item 23', 3.5, 1601555200, NULL),
	('üser-27', 'item 4', 2, 1605443200, NULL),
	('üser-28', 'item 0', 4.5, 1617798400, NULL),
	('üser-28', 'item 1', 1, 1604320000, NULL),
	('üser-28', 'item 11', 3, 1607171200, NULL),
	('üser-28', 'item 12', 3, 1607171200, NULL),
	('üser-28', 'item 13', 3.5, 1622896000, NULL),
	('üser-28', 'item 15', 2, 1618489600, NULL),
	('üser-28', 'item 17', 1.5, 1613305600, NULL),
	('üser-28', 'item 19', 3, 1600950400, NULL),
	('üser-28', 'item 21', 1.5, 1602764800, NULL),
	('üser-28', 'item 23', 3, 1614601600, NULL),
	('üser-28', 'item 3', 3.5, 1622291200, NULL),
	('üser-28', 'item 7', 3, 1616934400, NULL),
	('üser-28', 'item 8', 2, 1609417600, NULL),
	('üser-29', 'item 12', 2.5, 1620908800, NULL),
	('üser-29', 'item 13', 3, 1622809600, NULL),
	('üser-29', 'item 14', 2.5, 1617971200, NULL),
	('üser-29', 'item 16', 1.5, 1619094400, NULL),
	('üser-29', 'item 17', 2.5, 1603888000, NULL),
	('üser-29', 'item 2', 3.5, 1609936000, NULL),
	('üser-29', 'item 20', 4, 1615552000, NULL),
	('üser-29', 'item 23', 3, 1614947200, NULL),
	('üser-29', 'item 3', 0.5, 1624796800, NULL),
	('üser-29', 'item 5', 4, 1605702400, NULL),
	('üser-3', 'item 0', 0.5, 1622291200, NULL),
	('üser-3', 'item 1', 5, 1617280000, NULL),
	('üser-3', 'item 10', 3, 1614083200, NULL),
	('üser-3', 'item 17', 3.5, 1622464000, NULL),
	('üser-3', 'item 19', 3, 1613564800, NULL),
	('üser-3', 'item 20', 4, 1612096000, NULL),
	('üser-3', 'item 5', 2.5, 1622636800, NULL),
	('üser-3', 'item 7', 1.5, 1618144000, NULL),
	('üser-3', 'item 8', 3, 1609417600, NULL),
	('üser-30', 'item 0', 2, 1618144000, NULL),
	('üser-30', 'item 1', 5, 1616156800, NULL),
	('üser-30', 'item 10', 2.5, 1603456000, NULL),
	('üser-30', 'item 11', 3.5, 1600691200, NULL),
	('üser-30', 'item 12', 3.5, 1613132800, NULL),
	('üser-30', 'item 14', 3, 1624105600, NULL),
	('üser-30', 'item 16', 2, 1613824000, NULL),
	('üser-30', 'item 20', 3.5, 1600950400, NULL),
	('üser-30', 'item 5', 5, 1620044800, NULL),
	('üser-30', 'item 7', 3.5, 1611664000, NULL),
	('üser-30', 'item 9', 3.5, 1610281600, NULL),
	('üser-31', 'item 0', 3.5, 1603974400, NULL),
	('üser-31', 'item 11', 0.5, 1608726400, NULL),
	('üser-31', 'item 16', 2, 1602246400, NULL),
	('üser-31', 'item 17', 5, 1615033600, NULL),
	('üser-31', 'item 18', 5, 1623500800, NULL),
	('üser-31', 'item 2', 3.5, 1609417600, NULL),
	('üser-31', 'item 20', 5, 1600432000, NULL),
	('üser-31', 'item 21', 4, 1600432000, NULL),
	('üser-31', 'item 22', 2.5, 1600172800, NULL),
	('üser-31', 'item 23', 2, 1605443200, NULL),
	('üser-31', 'item 3', 5, 1602764800, NULL),
	('üser-31', 'item 5', 0.5, 1615465600, NULL),
	('üser-31', 'item 8', 1.5, 1602419200, NULL),
	('üser-31', 'item 9', 4.5, 1607689600, NULL),
	('üser-32', 'item 1', 4, 1615292800, NULL),
	('üser-32', 'item 12', 4, 1617539200, NULL),
	('üser-32', 'item 13', 4, 1614428800, NULL),
	('üser-32', 'item 16', 3, 1600345600, NULL),
	('üser-32', 'item 17', 3.5, 1613219200, NULL),
	('üser-32', 'item 18', 4, 1600777600, NULL),
	('üser-32', 'item 21', 3.5, 1612700800, NULL),
	('üser-32', 'item 22', 2.5, 1611404800, NULL),
	('üser-32', 'item 3', 3.5, 1605875200, NULL),
	('üser-32', 'item 6', 3.5, 1606652800, NULL),
	('üser-32', 'item 7', 3.5, 1600086400, NULL),
	('üser-32', 'item 9', 4, 1625833600, NULL),
	('üser-33', 'item 0', 3.5, 1618316800, NULL),
	('üser-33', 'item 11', 3.5, 1608726400, NULL),
	('üser-33', 'item 13', 4, 1603369600, NULL),
	('üser-33', 'item 14', 3, 1616156800, NULL),
	('üser-33', 'item 17', 2.5, 1621254400, NULL),
	('üser-33', 'item 18', 2.5, 1622291200, NULL),
	('üser-33', 'item 19', 3.5, 1606998400, NULL),
	('üser-33', 'item 2', 4, 1618576000, NULL),
	('üser-33', 'item 20', 3, 1620044800, NULL),
	('üser-33', 'item 23', 3.5, 1605184000, NULL),
	('üser-33', 'item 3', 2.5, 1606393600, NULL),
	('üser-33', 'item 4', 2.5, 1617798400, NULL),
	('üser-33', 'item 7', 3.5, 1604752000, NULL),
	('üser-33', 'item 8', 3, 1600691200, NULL),
	('üser-33', 'item 9', 3.5, 1613478400, NULL),
	('üser-34', 'item 0', 4.5, 1610281600, NULL),
	('üser-34', 'item 11', 4.5, 1621945600, NULL),
	('üser-34', 'item 13', 5, 1622204800, NULL),
	('üser-34', 'item 15', 3, 1607171200, NULL),
	('üser-34', 'item 21', 3, 1602332800, NULL),
	('üser-34', 'item 6', 2, 1623155200, NULL),
	('üser-34', 'item 7', 4, 1624019200, NULL),
	('üser-34', 'item 9', 3, 1620476800, NULL),
	('üser-35', 'item 0', 3, 1611232000, NULL),
	('üser-35', 'item 10', 3.5, 1605356800, NULL),
	('üser-35', 'item 14', 2.5, 1606739200, NULL),
	('üser-35', 'item 19', 3, 1615033600, NULL),
	('üser-35', 'item 2', 3.5, 1600950400, NULL),
	('üser-35', 'item 21', 3, 1613651200, NULL),
	('üser-35', 'item 23', 2.5, 1606393600, NULL),
	('üser-35', 'item 4', 4, 1605529600, NULL),
	('üser-35', 'item 5', 2, 1609763200, NULL),
	('üser-35', 'item 7', 2.5, 1601814400, NULL),
	('üser-35', 'item 9', 3, 1617020800, NULL),
	('üser-36', 'item 1', 3.5, 1610886400, NULL),
	('üser-36', 'item 10', 5, 1617971200, NULL),
	('üser-36', 'item 14', 2, 1616243200, NULL),
	('üser-36', 'item 15', 0.5, 1603283200, NULL),
	('üser-36', 'item 16', 1.5, 1619440000, NULL),
	('üser-36', 'item 2', 3, 1625833600, NULL),
	('üser-36', 'item 4', 5, 1615206400, NULL),
	('üser-36', 'item 5', 0.5, 1615206400, NULL),
	('üser-36', 'item 8', 1.5, 1601468800, NULL),
	('üser-37', 'item 1', 4, 1613824000, NULL),
	('üser-37', 'item 10', 5, 1612182400, NULL),
	('üser-37', 'item 17', 4.5, 1618316800, NULL),
	('üser-37', 'item 18', 5, 1606480000, NULL),
	('üser-37', 'item 20', 4.5, 1619180800, NULL),
	('üser-37', 'item 23', 2.5, 1617020800, NULL),
	('üser-37', 'item 4', 5, 1608985600, NULL),
	('üser-37', 'item 5', 1, 1620908800, NULL),
	('üser-37', 'item 9', 4, 1605443200, NULL),
	('üser-38', 'item 0', 3.5, 1611750400, NULL),
	('üser-38', 'item 10', 3.5, 1610972800, NULL),
	('üser-38', 'item 11', 2.5, 1611059200, NULL),
	('üser-38', 'item 14', 3.5, 1625660800, NULL),
	('üser-38', 'item 16', 2.5, 1623241600, NULL),
	('üser-38', 'item 2', 4, 1604492800, NULL),
	('üser-38', 'item 21', 3.5, 1603456000, NULL),
	('üser-38', 'item 22', 2.5, 1613219200, NULL),
	('üser-38', 'item 23', 3, 1617798400, NULL),
	('üser-38', 'item 6', 3, 1617280000, NULL),
	('üser-39', 'item 0', 5, 1601728000, NULL),
	('üser-39', 'item 1', 1.5, 1606220800, NULL),
	('üser-39', 'item 10', 5, 1614169600, NULL),
	('üser-39', 'item 11', 1.5, 1604665600, NULL),
	('üser-39', 'item 15', 2.5, 1607948800, NULL),
	('üser-39', 'item 16', 3, 1601555200, NULL),
	('üser-39', 'item 17', 3.5, 1623241600, NULL),
	('üser-39', 'item 19', 3, 1613996800, NULL),
	('üser-39', 'item 2', 4, 1616156800, NULL),
	('üser-39', 'item 4', 4, 1613392000, NULL),
	('üser-39', 'item 7', 3, 1621859200, NULL),
	('üser-39', 'item 9', 4, 1607257600, NULL),
	('üser-4', 'item 1', 1, 1617280000, NULL),
	('üser-4', 'item 10', 2.5, 1610800000, NULL),
	('üser-4', 'item 11', 0.5, 1603456000, NULL),
	('üser-4', 'item 13', 1, 1616243200, NULL),
	('üser-4', 'item 15', 0.5, 1612182400, NULL),
	('üser-4', 'item 17', 1.5, 1618144000, NULL),
	('üser-4', 'item 19', 1, 1608121600, NULL),
	('üser-4', 'item 2', 2.5, 1621254400, NULL),
	('üser-4', 'item 22', 0.5, 1613824000, NULL),
	('üser-4', 'item 5', 0.5, 1624969600, NULL),
	('üser-4', 'item 7', 1, 1610281600, NULL),
	('üser-4', 'item 9', 2, 1614601600, NULL),
	('üser-40', 'item 0', 1.5, 1624451200, NULL),
	('üser-40', 'item 11', 0.5, 1603456000, NULL),
	('üser-40', 'item 13', 1, 1618662400, NULL),
	('üser-40', 'item 16', 1.5, 1622291200, NULL),
	('üser-40', 'item 18', 4, 1611404800, NULL),
	('üser-40', 'item 19', 2.5, 1619094400, NULL),
	('üser-40', 'item 2', 3, 1603283200, NULL),
	('üser-40', 'item 23', 1, 1607430400, NULL),
	('üser-40', 'item 5', 0.5, 1608294400, NULL),
	('üser-40', 'item 6', 4, 1616848000, NULL),
	('üser-40', 'item 7', 1, 1608899200, NULL),
	('üser-41', 'item 10', 3, 1624537600, NULL),
	('üser-41', 'item 12', 3.5, 1605270400, NULL),
	('üser-41', 'item 13', 2.5, 1608035200, NULL),
	('üser-41', 'item 15', 1.5, 1621340800, NULL),
	('üser-41', 'item 18', 2.5, 1625315200, NULL),
	('üser-41', 'item 2', 3.5, 1608467200, NULL),
	('üser-41', 'item 20', 5, 1615897600, NULL),
	('üser-41', 'item 21', 5, 1617193600, NULL),
	('üser-41', 'item 23', 2, 1625833600, NULL),
	('üser-41', 'item 4', 5, 1612182400, NULL),
	('üser-42', 'item 0', 4, 1622291200, NULL),
	('üser-42', 'item 1', 2.5, 1612441600, NULL),
	('üser-42', 'item 10', 1, 1600518400, NULL),
	('üser-42', 'item 11', 4, 1608035200, NULL),
	('üser-42', 'item 13', 4, 1620908800, NULL),
	('üser-42', 'item 14', 3, 1614083200, NULL),
	('üser-42', 'item 16', 1.5, 1611923200, NULL),
	('üser-42', 'item 17', 0.5, 1625401600, NULL),
	('üser-42', 'item 2', 4, 1606825600, NULL),
	('üser-42', 'item 21', 2, 1614256000, NULL),
	('üser-42', 'item 6', 1, 1620736000, NULL),
	('üser-42', 'item 8', 3, 1601468800, NULL),
	('üser-43', 'item 0', 5, 1613996800, NULL),
	('üser-43', 'item 1', 1.5, 1623155200, NULL),
	('üser-43', 'item 12', 3.5, 1607084800, NULL),
	('üser-43', 'item 16', 2.5, 1600432000, NULL),
	('üser-43', 'item 17', 0.5, 1601900800, NULL),
	('üser-43', 'item 18', 2, 1605443200, NULL),
	('üser-43', 'item 19', 4, 1610540800, NULL),
	('üser-43', 'item 2', 5, 1618057600, NULL),
	('üser-43', 'item 4', 0.5, 1608899200, NULL),
	('üser-43', 'item 5', 5, 1608640000, NULL),
	('üser-43', 'item 6', 1.5, 1622464000, NULL),
	('üser-43', 'item 9', 1.5, 1616761600, NULL),
	('üser-44', 'item 14', 3, 1623760000, NULL),
	('üser-44', 'item 16', 2.5, 1607776000, NULL),
	('üser-44', 'item 17', 2, 1605356800, NULL),
	('üser-44', 'item 2', 4.5, 1624969600, NULL),
	('üser-44', 'item 23', 3.5, 1608899200, NULL),
	('üser-44', 'item 3', 2.5, 1617625600, NULL),
	('üser-44', 'item 5', 3, 1602332800, NULL),
	('üser-45', 'item 0', 1, 1618403200, NULL),
	('üser-45', 'item 12', 3, 1619180800, NULL),
	('üser-45', 'item 14', 2.5, 1620563200, NULL),
	('üser-45', 'item 15', 1.5, 1625142400, NULL),
	('üser-45', 'item 17', 4.5, 1609072000, NULL),
	('üser-45', 'item 19', 3.5, 1605788800, NULL),
	('üser-45', 'item 2', 3.5, 1604579200, NULL),
	('üser-45', 'item 21', 5, 1602073600, NULL),
	('üser-45', 'item 22', 3.5, 1617107200, NULL),
	('üser-45', 'item 4', 5, 1602592000, NULL),
	('üser-45', 'item 6', 3, 1617193600, NULL),
	('üser-45', 'item 7', 2, 1609158400, NULL),
	('üser-45', 'item 8', 3, 1601555200, NULL),
	('üser-46', 'item 11', 4, 1609072000, NULL),
	('üser-46', 'item 14', 2.5, 1610713600, NULL),
	('üser-46', 'item 15', 3, 1610540800, NULL),
	('üser-46', 'item 16', 2, 1618748800, NULL),
	('üser-46', 'item 17', 0.5, 1611577600, NULL),
	('üser-46', 'item 19', 3, 1623760000, NULL),
	('üser-46', 'item 2', 4, 1601900800, NULL),
	('üser-46', 'item 22', 0.5, 1607344000, NULL),
	('üser-46', 'item 23', 4, 1600086400, NULL),
	('üser-46', 'item 3', 2, 1605788800, NULL),
	('üser-46', 'item 5', 3, 1601382400, NULL),
	('üser-46', 'item 6', 1.5, 1606739200, NULL),
	('üser-46', 'item 8', 3, 1617884800, NULL),
	('üser-47', 'item 0', 2.5, 1607344000, NULL),
	('üser-47', 'item 1', 3.5, 1604752000, NULL),
	('üser-47', 'item 10', 3, 1601814400, NULL),
	('üser-47', 'item 12', 2.5, 1610108800, NULL),
	('üser-47', 'item 16', 1.5, 1609158400, NULL),
	('üser-47', 'item 19', 2.5, 1625488000, NULL),
	('üser-47', 'item 21', 2.5, 1600000000, NULL),
	('üser-47', 'item 22', 1.5, 1618662400, NULL),
	('üser-47', 'item 3', 2.5, 1611664000, NULL),
	('üser-47', 'item 5', 1, 1612441600, NULL),
	('üser-47', 'item 6', 2.5, 1614774400, NULL),
	('üser-47', 'item 7', 2, 1601123200, NULL),
	('üser-47', 'item 9', 3.5, 1623068800, NULL),
	('üser-48', 'item 0', 5, 1610000000, NULL),
	('üser-48', 'item 1', 5, 1610000000, NULL),
	('üser-48', 'item 10', 5, 1610000000, NULL);
INSERT INTO public.ratings VALUES
	('üser-48', 'item 11', 5, 1610000000, NULL),
	('üser-48', 'item 12', 5, 1610000000, NULL),
	('üser-48', 'item 13', 5, 1610000000, NULL),
	('üser-48', 'item 14', 5, 1610000000, NULL),
	('üser-48', 'item 15', 5, 1610000000, NULL),
	('üser-48', 'item 16', 5, 1610000000, NULL),
	('üser-48', 'item 17', 5, 1610000000, NULL),
	('üser-48', 'item 18', 5, 1610000000, NULL),
	('üser-48', 'item 19', 5, 1610000000, NULL),
	('üser-48', 'item 2', 5, 1610000000, NULL),
	('üser-48', 'item 20', 5, 1610000000, NULL),
	('üser-48', 'item 21', 5, 1610000000, NULL),
	('üser-48', 'item 22', 5, 1610000000, NULL),
	('üser-48', 'item 23', 5, 1610000000, NULL),
	('üser-48', 'item 3', 5, 1610000000, NULL),
	('üser-48', 'item 4', 5, 1610000000, NULL),
	('üser-48', 'item 5', 5, 1610000000, NULL),
	('üser-48', 'item 6', 5, 1610000000, NULL),
	('üser-48', 'item 7', 5, 1610000000, NULL),
	('üser-48', 'item 8', 5, 1610000000, NULL),
	('üser-48', 'item 9', 5, 1610000000, NULL),
	('üser-5', 'item 13', 3.5, 1622377600, NULL),
	('üser-5', 'item 16', 2, 1613305600, NULL),
	('üser-5', 'item 17', 2, 1610022400, NULL),
	('üser-5', 'item 19', 3.5, 1602851200, NULL),
	('üser-5', 'item 2', 3.5, 1619612800, NULL),
	('üser-5', 'item 21', 2.5, 1600604800, NULL),
	('üser-5', 'item 3', 2, 1602332800, NULL),
	('üser-5', 'item 7', 3, 1608553600, NULL),
	('üser-5', 'item 9', 2.5, 1617452800, NULL),
	('üser-6', 'item 0', 4, 1613132800, NULL),
	('üser-6', 'item 1', 2, 1604924800, NULL),
	('üser-6', 'item 11', 3.5, 1606134400, NULL),
	('üser-6', 'item 14', 3, 1613219200, NULL),
	('üser-6', 'item 16', 2.5, 1610800000, NULL),
	('üser-6', 'item 18', 2.5, 1623846400, NULL),
	('üser-6', 'item 19', 3.5, 1602851200, NULL),
	('üser-6', 'item 2', 4, 1610195200, NULL),
	('üser-6', 'item 20', 2, 1625833600, NULL),
	('üser-6', 'item 21', 2, 1615638400, NULL),
	('üser-6', 'item 22', 2, 1605270400, NULL),
	('üser-6', 'item 23', 4, 1606998400, NULL),
	('üser-6', 'item 4', 0.5, 1604492800, NULL),
	('üser-6', 'item 5', 3.5, 1617798400, NULL),
	('üser-6', 'item 6', 2, 1612614400, NULL),
	('üser-6', 'item 7', 3.5, 1612614400, NULL),
	('üser-6', 'item 9', 2.5, 1618835200, NULL),
	('üser-7', 'item 0', 4, 1617539200, NULL),
	('üser-7', 'item 1', 3, 1608467200, NULL),
	('üser-7', 'item 11', 1, 1605097600, NULL),
	('üser-7', 'item 12', 3.5, 1622204800, NULL),
	('üser-7', 'item 13', 2.5, 1617798400, NULL),
	('üser-7', 'item 14', 3, 1614256000, NULL),
	('üser-7', 'item 15', 1.5, 1617884800, NULL),
	('üser-7', 'item 16', 2.5, 1625747200, NULL),
	('üser-7', 'item 19', 3, 1604752000, NULL),
	('üser-7', 'item 23', 2.5, 1620649600, NULL),
	('üser-7', 'item 3', 4, 1622291200, NULL),
	('üser-7', 'item 5', 1.5, 1618921600, NULL),
	('üser-7', 'item 7', 2, 1625401600, NULL),
	('üser-7', 'item 9', 3.5, 1604406400, NULL),
	('üser-8', 'item 0', 1.5, 1625574400, NULL),
	('üser-8', 'item 10', 1.5, 1601555200, NULL),
	('üser-8', 'item 12', 2.5, 1612182400, NULL),
	('üser-8', 'item 13', 2.5, 1605356800, NULL),
	('üser-8', 'item 15', 1.5, 1612441600, NULL),
	('üser-8', 'item 16', 1, 1617366400, NULL),
	('üser-8', 'item 17', 1.5, 1616416000, NULL),
	('üser-8', 'item 18', 1.5, 1623155200, NULL),
	('üser-8', 'item 20', 2.5, 1610281600, NULL),
	('üser-8', 'item 4', 3.5, 1620044800, NULL),
	('üser-8', 'item 8', 2.5, 1624796800, NULL),
	('üser-8', 'item 9', 2.5, 1623328000, NULL),
	('üser-9', 'item 0', 5, 1608380800, NULL),
	('üser-9', 'item 10', 2.5, 1610454400, NULL),
	('üser-9', 'item 11', 4.5, 1622032000, NULL),
	('üser-9', 'item 14', 3.5, 1607603200, NULL),
	('üser-9', 'item 15', 3.5, 1620390400, NULL),
	('üser-9', 'item 16', 2.5, 1609072000, NULL),
	('üser-9', 'item 19', 4, 1614428800, NULL),
	('üser-9', 'item 20', 2, 1611750400, NULL),
	('üser-9', 'item 21', 2, 1619526400, NULL),
	('üser-9', 'item 22', 2, 1620476800, NULL),
	('üser-9', 'item 23', 4.5, 1612268800, NULL),
	('üser-9', 'item 4', 0.5, 1623760000, NULL),
	('üser-9', 'item 6', 2.5, 1603715200, NULL),
	('üser-9', 'item 8', 3.5, 1625228800, NULL),
	('üser-0', 'item 3', 4.5, 1796082942, NULL),
	('newcomer', 'item 1', 5, 1796082942, NULL),
	('newcomer', 'item 4', 0.5, 1796082942, NULL),
	('newcomer', 'item 9', 4, 1796082942, NULL),
	('newcomer', 'item 13', 2.5, 1796082942, NULL),
	('newcomer', 'item 15', 3.5, 1796082942, 3.25),
	('visitor-4d783b9c90895928309b7b4238d1d338', 'item 4', 4.5, 1796082948, NULL),
	('visitor-4d783b9c90895928309b7b4238d1d338', 'item 11', 1, 1796082948, NULL),
	('visitor-4d783b9c90895928309b7b4238d1d338', 'item 0', 5, 1796082948, NULL),
	('visitor-4d783b9c90895928309b7b4238d1d338', 'item 10', 3.5, 1796082948, 5);


--
-- Data for Name: sessions; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.sessions VALUES
	('cce8b5926b1e6b13a83fde9a47482a0145c6695ed384f02f769c03f23dfcfb25', 1, 1796082948, 1796111748);


--
-- Data for Name: visitors; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.visitors VALUES
	('visitor-4d783b9c90895928309b7b4238d1d338', '75f0f02ddd72cff34bca455c52d7504c742785ed06749a7fa04a46a5ace8dca9', 1796082948, '["item 8"]', '{"item 4": 3.061121, "item 20": 3.84119, "item 21": 3.7652194, "item 10": 5.0, "item 1": 3.6315293, "item 18": 3.753422, "item 11": 1.8096421, "item 0": 2.2455912, "item 6": 3.7737083, "item 17": 3.9450064, "item 2": 3.6869423, "item 12": 3.5540187}'),
	('visitor-83d30db1ba7eceabdff975658a0f7cc8', '61e39be47716cb0f0b5edaed1885f5c86bd4330383c86d02a21c311a9991fe80', 1796082948, '["item 4"]', '{}');


--
-- Name: activations_number_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.activations_number_seq', 14, true);


--
-- Name: jobs_number_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.jobs_number_seq', 7, true);


--
-- Name: keys_number_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.keys_number_seq', 4, true);


--
-- Name: models_number_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.models_number_seq', 6, true);


--
-- Name: activations activations_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.activations
    ADD CONSTRAINT activations_pkey PRIMARY KEY (number);


--
-- Name: alembic_version alembic_version_pkc; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);


--
-- Name: facts facts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.facts
    ADD CONSTRAINT facts_pkey PRIMARY KEY (name);


--
-- Name: items items_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.items
    ADD CONSTRAINT items_pkey PRIMARY KEY (item);


--
-- Name: items items_place_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.items
    ADD CONSTRAINT items_place_key UNIQUE (place);


--
-- Name: jobs jobs_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (number);


--
-- Name: jobs jobs_slot_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_slot_key UNIQUE (slot);


--
-- Name: keys keys_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.keys
    ADD CONSTRAINT keys_pkey PRIMARY KEY (number);


--
-- Name: keys keys_sha256_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.keys
    ADD CONSTRAINT keys_sha256_key UNIQUE (sha256);


--
-- Name: models models_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.models
    ADD CONSTRAINT models_pkey PRIMARY KEY (number);


--
-- Name: people people_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.people
    ADD CONSTRAINT people_pkey PRIMARY KEY ("user");


--
-- Name: ratings ratings_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ratings
    ADD CONSTRAINT ratings_pkey PRIMARY KEY ("user", item);


--
-- Name: sessions sessions_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (sha256);


--
-- Name: visitors visitors_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.visitors
    ADD CONSTRAINT visitors_pkey PRIMARY KEY ("user");


--
-- Name: visitors visitors_sha256_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.visitors
    ADD CONSTRAINT visitors_sha256_key UNIQUE (sha256);


--
-- Name: ratings_of_item; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ratings_of_item ON public.ratings USING btree (item);


--
-- Name: activations activations_model_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.activations
    ADD CONSTRAINT activations_model_fkey FOREIGN KEY (model) REFERENCES public.models(number);


--
-- Name: jobs jobs_model_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_model_fkey FOREIGN KEY (model) REFERENCES public.models(number);


--
-- Name: sessions sessions_key_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_key_fkey FOREIGN KEY (key) REFERENCES public.keys(number);


--
-- PostgreSQL database dump complete
--


