<?php
/*
 * Helpers of the interop peer, run by wordpress.sh:  php wp.php COMMAND ARGS...
 * Needs WPI_ROOT (the site's folder) and WPI_URL in the environment.
 */
if ( 'cli' !== PHP_SAPI ) {
	exit( 1 );
}
$wpi_cmd  = $argv[1] ?? '';
$wpi_args = array_slice( $argv, 2 );
$wpi_url  = getenv( 'WPI_URL' );
if ( 'install' === $wpi_cmd ) {
	define( 'WP_INSTALLING', true );
}
$_SERVER['HTTP_HOST']       = preg_replace( '#^https?://#', '', $wpi_url );
$_SERVER['SERVER_NAME']     = parse_url( $wpi_url, PHP_URL_HOST );
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
$_SERVER['REQUEST_METHOD']  = 'GET';
$_SERVER['REQUEST_URI']     = '/';
$_SERVER['SCRIPT_NAME']     = '/index.php';
$_SERVER['PHP_SELF']        = '/index.php';
$_SERVER['REMOTE_ADDR']     = '127.0.0.1';
ini_set( 'display_errors', 'stderr' );
require rtrim( getenv( 'WPI_ROOT' ), '/' ) . '/wp-load.php';

function wpi_fail( $message, $code = 1 ) {
	fwrite( STDERR, "wp.php: $message\n" );
	exit( $code );
}

function wpi_json( $data ) {
	echo json_encode( $data, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_PRETTY_PRINT ), "\n";
}

/* A post by id or URL. */
function wpi_post( $which ) {
	$id   = ctype_digit( (string) $which ) ? (int) $which : url_to_postid( $which );
	$post = $id ? get_post( $id ) : null;
	if ( ! $post ) {
		wpi_fail( "no post: $which" );
	}
	return $post;
}

function wpi_describe( $post ) {
	$pretty = get_option( 'permalink_structure' );
	$link   = get_permalink( $post );
	return array(
		'id'            => $post->ID,
		'title'         => $post->post_title,
		'url'           => $link,
		'trackback_url' => $pretty ? trailingslashit( $link ) . 'trackback/' : site_url( '/wp-trackback.php?p=' . $post->ID ),
		'status'        => $post->post_status,
		'ping_status'   => $post->ping_status,
		'to_ping'       => array_values( array_filter( get_to_ping( $post ) ) ),
		'pinged'        => array_values( array_filter( get_pung( $post ) ) ),
	);
}

function wpi_comments( $post ) {
	$rows = array();
	foreach ( get_comments( array( 'post_id' => $post->ID, 'status' => 'any', 'type' => '', 'orderby' => 'comment_ID', 'order' => 'ASC' ) ) as $c ) {
		$rows[] = array(
			'id'       => (int) $c->comment_ID,
			'type'     => $c->comment_type,
			'author'   => $c->comment_author,
			'url'      => $c->comment_author_url,
			'content'  => $c->comment_content,
			'approved' => $c->comment_approved,
			'ip'       => $c->comment_author_IP,
			'agent'    => $c->comment_agent,
			'date_gmt' => $c->comment_date_gmt,
		);
	}
	return $rows;
}

/* Publish or change a post as the administrator; queue trackbacks; send pings now unless told not to. */
function wpi_save( array $fields, array $trackbacks, $ping_now ) {
	wp_set_current_user( 1 );
	if ( $trackbacks ) {
		$fields['to_ping'] = implode( "\n", $trackbacks );
	}
	$fields += array( 'post_status' => 'publish' );
	$id      = isset( $fields['ID'] ) ? wp_update_post( wp_slash( $fields ), true ) : wp_insert_post( wp_slash( $fields ), true );
	if ( is_wp_error( $id ) ) {
		wpi_fail( $id->get_error_message() );
	}
	if ( $ping_now ) {
		wpi_ping();
	}
	return get_post( $id );
}

/* What wp-cron would do for the "do_pings" event. */
function wpi_ping() {
	wp_clear_scheduled_hook( 'do_pings' );
	do_action( 'do_pings' );
}

function wpi_seed() {
	wp_set_current_user( 1 );
	foreach ( get_posts( array( 'numberposts' => -1, 'post_type' => array( 'post', 'page' ), 'post_status' => 'any' ) ) as $old ) {
		wp_delete_post( $old->ID, true );
	}
	foreach ( array( 'One', 'Two', 'Three' ) as $word ) {
		$post = wpi_save(
			array(
				'post_title'   => "Interop post $word",
				'post_name'    => 'interop-' . strtolower( $word ),
				'post_content' => "<p>Interop post $word waits for pings.</p>",
				'ping_status'  => 'open',
			),
			array(),
			false
		);
		delete_post_meta( $post->ID, '_pingme' );
		delete_post_meta( $post->ID, '_encloseme' );
	}
	wp_clear_scheduled_hook( 'do_pings' );
}

switch ( $wpi_cmd ) {
	case 'install':
		require_once ABSPATH . 'wp-admin/includes/upgrade.php';
		if ( ! is_blog_installed() ) {
			// The pretty-permalink probe of the installer asks the network; spare it that.
			add_filter( 'pre_http_request', function () { return new WP_Error( 'wpi', 'no network during install' ); } );
			wp_install( 'WP Interop', getenv( 'WPI_USER' ), 'admin@example.invalid', true, '', wp_slash( getenv( 'WPI_PASS' ) ) );
		}
		break;

	case 'configure':
		foreach ( array(
			'default_ping_status'         => 'open',
			'default_pingback_flag'       => 1,
			'default_comment_status'      => 'open',
			'comment_moderation'          => 0,
			'comment_previously_approved' => 0,
			'comment_max_links'           => 100,
			'comments_notify'             => 0,
			'moderation_notify'           => 0,
			'ping_sites'                  => '',
			'blog_public'                 => 1,
		) as $name => $value ) {
			update_option( $name, $value );
		}
		global $wp_rewrite;
		$wp_rewrite->set_permalink_structure( (string) getenv( 'WPI_PERMALINKS' ) );
		flush_rewrite_rules( false );
		wpi_seed();
		break;

	case 'info':
		$posts = get_posts( array( 'numberposts' => -1, 'orderby' => 'ID', 'order' => 'ASC' ) );
		wpi_json(
			array(
				'site'       => home_url( '/' ),
				'xmlrpc'     => site_url( 'xmlrpc.php' ),
				'posts'      => array_map( 'wpi_describe', $posts ),
				'user'       => getenv( 'WPI_USER' ),
				'password'   => getenv( 'WPI_PASS' ),
				'version'    => get_bloginfo( 'version' ),
				'php'        => PHP_VERSION,
				'permalinks' => get_option( 'permalink_structure' ),
			)
		);
		break;

	case 'publish': // TITLE HTML [TRACKBACK_URL ...]
	case 'queue':   // the same, but leaves the pings to wp-cron
		if ( count( $wpi_args ) < 2 ) {
			wpi_fail( "usage: $wpi_cmd TITLE HTML [TRACKBACK_URL...]", 2 );
		}
		$fields = array(
			'post_title'   => $wpi_args[0],
			'post_content' => $wpi_args[1],
			'post_excerpt' => (string) getenv( 'WPI_EXCERPT' ),
			'ping_status'  => 'open',
		);
		$post   = wpi_save( $fields, array_slice( $wpi_args, 2 ), 'publish' === $wpi_cmd );
		echo get_permalink( $post ), "\n";
		break;

	case 'update': // POST HTML [TRACKBACK_URL ...]
		if ( count( $wpi_args ) < 2 ) {
			wpi_fail( 'usage: update POST HTML [TRACKBACK_URL...]', 2 );
		}
		$post = wpi_save( array( 'ID' => wpi_post( $wpi_args[0] )->ID, 'post_content' => $wpi_args[1] ), array_slice( $wpi_args, 2 ), true );
		echo get_permalink( $post ), "\n";
		break;

	case 'ping':
		wpi_ping();
		break;

	case 'post':
		wpi_json( wpi_describe( wpi_post( $wpi_args[0] ?? '' ) ) );
		break;

	case 'close': // POST: no pings any more
	case 'open':
		wp_update_post( array( 'ID' => wpi_post( $wpi_args[0] ?? '' )->ID, 'ping_status' => 'open' === $wpi_cmd ? 'open' : 'closed' ) );
		wp_clear_scheduled_hook( 'do_pings' );
		break;

	case 'delete': // POST...: with their comments
		foreach ( $wpi_args as $which ) {
			wp_delete_post( wpi_post( $which )->ID, true );
		}
		break;

	case 'comments':
		wpi_json( wpi_comments( wpi_post( $wpi_args[0] ?? '' ) ) );
		break;

	case 'clear': // [POST]: delete its comments, or everyone's
		$query = array( 'status' => 'any', 'type' => '', 'fields' => 'ids' );
		if ( isset( $wpi_args[0] ) ) {
			$query['post_id'] = wpi_post( $wpi_args[0] )->ID;
		}
		foreach ( get_comments( $query ) as $id ) {
			wp_delete_comment( $id, true );
		}
		break;

	case 'get':
		wpi_json( get_option( $wpi_args[0] ?? '', null ) );
		break;

	case 'set':
		if ( 2 !== count( $wpi_args ) ) {
			wpi_fail( 'usage: set OPTION VALUE', 2 );
		}
		update_option( $wpi_args[0], $wpi_args[1] );
		break;

	case 'unset': // OPTION: back to its default
		if ( 1 !== count( $wpi_args ) ) {
			wpi_fail( 'usage: unset OPTION', 2 );
		}
		delete_option( $wpi_args[0] );
		break;

	default:
		wpi_fail( "unknown command: $wpi_cmd", 2 );
}
